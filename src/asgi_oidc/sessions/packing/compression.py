"""Compresses the JSON texts of a session: the claims, and the headers and payloads of JWTs (DEFLATE, RFC 1951).

What is compressed must contain no secret: its length reveals whether two parts of it are alike, and others may choose
a part, such as the name of a group (as in the CRIME attack on TLS). So whatever makes a token valid is left out:
signatures, and all tokens that are not JWTs. An attacker could only learn another claim of the user, and would have to
choose a claim and measure the length of the user's encrypted requests, again for each of many logins.
"""

import zlib

# Texts that are in most tokens; the most frequent ones are at the end, where references to them are shortest. This is
# part of the format: whoever changes it has to read values that were compressed with the old one.
DICTIONARY = b"""\
-----"https://www.googleapis.com/auth/","https://graph.microsoft.com","https://login.microsoftonline.com/","https://sts\
.windows.net/","https://accounts.google.com","hd":"gmail.com","picture":"https://lh3.googleusercontent.com/a/","idp":"\
live.com","idtyp":"user","app_displayname":"appid":"appidacr":"1","ipaddr":"","platf":"","puid":"","tenant_region_scope\
":"EU","wids":["","ver":"2.0","ver":"1.0","xms_st":{"sub":"","xms_tcdt":,"oid":"","tid":"","rh":"1.A","uti":"","unique_\
name":"upn":"cognito:groups":["cognito:username":"token_use":"access","origin_jti":"","event_id":"","updated_at":"202",\
"nickname":"","locale":"en","zoneinfo":"Europe/","address":{"formatted":"","street_address":"","locality":"","postal_co\
de":"","country":"","phone_number":"+","phone_number_verified":false,"gender":"","birthdate":"","website":"","profile":"\
","middle_name":"","urn:zitadel:iam:org:project:roles":{"urn:zitadel:iam:user:resourceowner:id":"permissions":["read:",\
"org_id":"org_","organization":"tenant":"entitlements":["department":"employee_id":"client_id":"","cid":"","uid":"","am\
r":["pwd","mfa","otp"],"idp":"","allowed-origins":["https://app."],"realm_access":{"roles":["default-roles-","offline_a\
ccess","uma_authorization"]},"resource_access":{"realm-management":{"roles":["view-users","account":{"roles":["manage-a\
ccount","manage-account-links","view-profile"]}},"typ":"Refresh","typ":"Bearer","typ":"ID","session_state":"","jti":"on\
rtac:","roles":["admin","user","editor","viewer"],"groups":["/","at+jwt","HS512","PS256","RS256","alg":"ES256","typ":"J\
WT","kid":"{"alg":"RS256","typ":"JWT","kid":"scope":"openid profile email offline_access","scp":"openid profile email",\
"nbf":17,"auth_time":17,"acr":"1","c_hash":"","at_hash":"","nonce":"","azp":"","sid":"","jti":"","aud":["https://api.",\
"account"],"aud":"","email_verified":true,"name":"","preferred_username":"","given_name":"","family_name":"","email":"@\
example.com","sub":"","iss":"https://auth.","exp":17,"iat":17{"iss":"https://"""
RAW = -15  # zlib's `wbits` for DEFLATE without a header and a checksum, which sealed values do not need
# On the tokens of real providers, 9 gains nothing. On a text that somebody makes up for the purpose, such as random a's
# and b's, it takes seconds: fifty times as long.
LEVEL = 7


def compress(text: bytes) -> bytes:
    """Compress a text that contains no secret."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return stream.compress(text) + stream.flush()


def decompress(data: bytes, *, most: int) -> bytes:
    """Return the text of at most `most` bytes.

    Raises:
        ValueError: the data is something else, or the text is longer.
    """
    stream = zlib.decompressobj(RAW, DICTIONARY)
    try:
        text = stream.decompress(data, most + 1)
    except zlib.error as exc:
        raise ValueError("not compressed data") from exc
    if len(text) > most or not stream.eof:
        raise ValueError("the text is longer than stated, or cut")
    return text
