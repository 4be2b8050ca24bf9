// What makes the provider one of the FAPI 2.0 Security Profile and of Message Signing.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';

// The profile has no RS256 (FAPI 2.0 Security Profile §5.4.1); this provider does not leave it out by itself.
const ALGORITHMS = ['PS256', 'ES256', 'Ed25519'];
const SIGNED = ['clientAuth', 'idToken', 'requestObject', 'userinfo', 'introspection', 'authorization'];
// Of the suites of TLS 1.2, the profile allows these and their like with DHE alone (§5.2.1).
const CIPHERS = ['AES128', 'AES256'].flatMap((aes) => ['ECDSA', 'RSA'].map((kind) => `ECDHE-${kind}-${aes}-GCM-SHA${aes === 'AES128' ? 256 : 384}`));
export const TLS = { minVersion: 'TLSv1.2', ciphers: ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', ...CIPHERS].join(':') };

export function newKeys() {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return [
    { ...rsa.privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'PS256' },
    { ...ec.privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'ES256' },
  ];
}

// A second listener, which asks for a certificate: one on the first would make browsers ask their users for one.
export async function mtlsOrigin(answer, { host, certificate, key, clientAuthority }) {
  const server = https.createServer(
    {
      ...TLS,
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ca: readFileSync(clientAuthority),
      requestCert: true,
      rejectUnauthorized: false, // `tls_client_auth` looks at what was found, and others have certificates of their own
    },
    answer,
  );
  await new Promise((listens) => { server.listen(0, host, listens); });
  return `https://${host}:${server.address().port}`;
}

export function fapiConfiguration(configuration, { isNonceRequired, aliases }) {
  return {
    ...configuration,
    clientAuthMethods: ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
    clientDefaults: {
      token_endpoint_auth_method: 'private_key_jwt',
      id_token_signed_response_alg: 'PS256',
      authorization_signed_response_alg: 'PS256',
      introspection_signed_response_alg: 'PS256',
    },
    discovery: { mtls_endpoint_aliases: endpoints(aliases) },
    enabledJWA: Object.fromEntries(SIGNED.map((what) => [`${what}SigningAlgValues`, ALGORITHMS])),
    features: {
      ...configuration.features,
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: isNonceRequired },
      encryption: { enabled: true },
      fapi: { enabled: true, profile: '2.0' },
      jwtResponseModes: { enabled: true },
      jwtUserinfo: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: ({ socket }) => socket.getPeerX509Certificate?.()?.toString(),
        certificateAuthorized: ({ socket }) => socket.authorized,
        certificateSubjectMatches,
      },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      registrationManagement: { enabled: true },
      requestObjects: { enabled: true },
      richAuthorizationRequests: {
        enabled: true,
        types: { payment_initiation: { validate: () => {} } },
        authorizationDetailsForGrantSource: (ctx) => asked(ctx),
        authorizationDetailsForAccessToken: (ctx, token, source) => source.rar,
        authorizationDetailsForIntrospection: (ctx, token) => token.rar,
      },
    },
  };
}

function endpoints(origin) {
  return {
    token_endpoint: `${origin}/token`,
    pushed_authorization_request_endpoint: `${origin}/request`,
    userinfo_endpoint: `${origin}/me`,
    introspection_endpoint: `${origin}/token/introspection`,
    revocation_endpoint: `${origin}/token/revocation`,
  };
}

// Certificates write the most particular part last, and registered names have it first (RFC 4514).
function certificateSubjectMatches({ socket }, property, expected) {
  const { subject } = socket.getPeerX509Certificate();
  return property === 'tls_client_auth_subject_dn' && subject.split('\n').reverse().join(',') === expected;
}

function asked({ oidc: { params } }) {
  return params.authorization_details && JSON.parse(params.authorization_details);
}
