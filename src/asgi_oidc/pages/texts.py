"""Every text of every page, by id, in English; the setting `texts` replaces or translates them.

`{...}` is a placeholder. All texts are plain text: a page shows markup in them as it is written.
"""

from collections.abc import Mapping
from types import MappingProxyType

_CONTACT = "please contact the people who run this site and give them the reference below."

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "lang": "en",
        "dir": "ltr",
        # What several pages share
        "reference": "Reference: {reference}",
        "action.try_again": "Try again",
        "action.sign_in": "Sign in",
        "action.sign_in_again": "Sign in again",
        "action.another_account": "Use another account",
        "action.home": "Go to the start page",
        "action.back": "Back",
        "action.continue": "Continue",
        "action.sign_out": "Sign out",
        "action.stay_signed_in": "Stay signed in",
        "action.send_form": "Send it",
        "action.discard_form": "Discard it",
        # Signing in, where a redirect to the provider would not work
        "sign_in.title": "Sign in to continue",
        "sign_in.title_with_app": "Sign in to {app}",
        "sign_in.text": "You need to sign in to see this.",
        "sign_in.text_step_up": "You need to sign in again to see this.",
        "sign_in_window.text": "You need to sign in to see this. The sign-in page opens in a new window.",
        "sign_in_window_done.title": "Your sign-in continues in the other window",
        "sign_in_window_done.text": (
            "Go back to the page that opened this window; you can close this one. If nothing happens there, open this "
            "site in a new window."
        ),
        "signing_in.title": "Signing in",
        "signing_in.text": "If nothing happens, press the button to continue.",
        # Choosing a provider
        "choose_provider.title": "Sign in",
        "choose_provider.text": "Choose how to sign in.",
        "choose_provider.continue": "Continue with {provider}",
        "choose_provider.last_used": "Last used",
        "choose_provider.index": "Go to a letter",
        "choose_provider.unknown": "This sign-in option is not available. Choose another one.",
        "provider_name.label": "Name of your organization",
        "provider_name.hint": "Lowercase letters, digits, hyphens and underscores, such as example-corp.",
        "provider_name.unknown": (
            "There is no organization with this name here. Check the spelling, or ask your organization which name to "
            "use."
        ),
        # No access
        "forbidden.title": "You do not have access to this page",
        "forbidden.text": (
            "You are signed in as {user}. Use another account, or ask the people who run this site to give this "
            "account access."
        ),
        # A form that was sent while nobody was signed in
        "form_not_sent.title": "Your form was not sent",
        "form_not_sent.text": (
            "You are no longer signed in, so nothing you entered has been saved. Your browser may still have it: go "
            "back and copy it, then sign in and send the form again."
        ),
        "form_not_sent.text_step_up": (
            "This requires a more recent or stronger sign-in, so nothing you entered has been saved. Your browser may "
            "still have it: go back and copy it, then sign in and send the form again."
        ),
        "form_kept.title": "Your form has not been sent yet",
        "form_kept.text": (
            "You are no longer signed in. What you entered is kept in this browser for ten minutes. Sign in, and you "
            "will be asked whether to send it."
        ),
        "form_kept.text_step_up": (
            "This requires a more recent or stronger sign-in. What you entered is kept in this browser for ten "
            "minutes. Sign in, and you will be asked whether to send it."
        ),
        "form_lost.title": "Your form was not sent",
        "form_lost.text": (
            "You are signed in now, but the form you sent earlier could not be kept, so nothing you entered has been "
            "saved. Please go back and send it again."
        ),
        "form_lost.back": "Go back",
        "form_not_found.title": "There is no form to send",
        "form_not_found.text": (
            "You are signed in. The form that was kept for you has already been sent or discarded, or it has expired."
        ),
        "form_of_other_user.title": "Your form was not sent",
        "form_of_other_user.text": (
            "You are signed in as {user}, but the form was filled in by somebody else, so it was not sent."
        ),
        "form_offer.title": "Send your form now?",
        "form_offer.text": (
            "You are signed in as {user}. This form was filled in before you signed in and has not been sent yet. "
            "Send it only if it is yours."
        ),
        "form_offer.target": "To be sent to",
        "form_offer.empty": "(empty)",
        "form_offer.hidden": "(hidden)",
        # Signing out
        "sign_out.title": "Sign out?",
        "sign_out.text": "Do you want to sign out of this site?",
        "sign_out.text_with_app": "Do you want to sign out of {app}?",
        "sign_out_at_provider.title": "Signing out",
        "sign_out_at_provider.text": (
            "You have been signed out of this site. If nothing happens, press the button to sign out of the sign-in "
            "service too."
        ),
        "signed_out.title": "You are signed out",
        "signed_out.text": "You can close this page now.",
        "signed_out.text_here_only": (
            "You may still be signed in to the sign-in service. If you share this computer, sign out there too."
        ),
        "frontchannel_logout.title": "Sign-out",
        "frontchannel_logout.text": "This site has been notified.",
        # What programs get as the title of a problem (RFC 9457)
        "problem.login_required": "Please sign in",
        "problem.not_signed_in": "Nobody is signed in",
        "problem.step_up_required": "Please sign in again: this needs a stronger or fresher login",
        "problem.token_required": "An access token is needed",
        "problem.token_invalid": "The access token is not valid",
        "problem.token_unavailable": "The access token cannot be checked right now",
        "problem.token_not_checked": "The access token could not be checked",
        "problem.failed": "The request failed",
        "problem.forbidden": "This user is not allowed to do that",
        "problem.method_not_allowed": "Method not allowed",
        "problem.frontchannel_logout_off": "Front-channel logout is not enabled",
        # Failures of a login
        "provider_unavailable.title": "Sign-in is temporarily unavailable",
        "provider_unavailable.text": (
            "The sign-in service is not responding. There is nothing wrong with your account. Please try again in a "
            "moment."
        ),
        "provider_answer_invalid.title": "Sign-in did not work",
        "provider_answer_invalid.text": (
            "The sign-in service sent a response that this site cannot accept, so you are not signed in. Please try "
            f"again. If that does not help, {_CONTACT}"
        ),
        "misconfigured.title": "Sign-in did not work",
        "misconfigured.text": (
            "This site is not set up correctly for the sign-in service, so you cannot sign in right now. Please "
            "contact the people who run this site and give them the reference below. Once they have fixed it, you can "
            "sign in."
        ),
        "login_cancelled.title": "The sign-in was cancelled",
        "login_cancelled.text": (
            "You are not signed in: you cancelled, or the sign-in service did not let you continue. You can try again "
            "or use another account."
        ),
        "interaction_required.title": "You are not signed in",
        "interaction_required.text": (
            "The sign-in service needs something from you first, such as your password or your consent. Please sign in."
        ),
        "login_refused.title": "This account cannot be used here",
        "login_refused.text": (
            "You signed in successfully, but this account does not have access to this site. Use another account, or "
            "ask the people who run this site for access."
        ),
        "login_cookie_missing.title": "This sign-in could not be finished",
        "login_cookie_missing.text": (
            "Your browser did not send the cookie that this sign-in needs. Cookies may be blocked, the sign-in may "
            "have taken more than ten minutes, or you may have started it in another browser. Allow cookies for this "
            "site, then try again."
        ),
        "login_cookie_unreadable.title": "This sign-in could not be finished",
        "login_cookie_unreadable.text": (
            "Your browser sent the cookie that this sign-in needs, but this site could not read it. This is not your "
            "fault: the site's servers may have different settings. Please try again. If that does not help, "
            + _CONTACT
        ),
        "login_expired.title": "Your sign-in expired",
        "login_expired.text": "It took too long, or it was already finished in another tab. Please try again.",
        "signed_out_meanwhile.title": "You have signed out",
        "signed_out_meanwhile.text": (
            "You signed out while this sign-in was in progress, so it was not finished. You can sign in again."
        ),
        "login_in_frame.title": "Sign in to continue",
        "login_in_frame.text": (
            "You need to sign in, but that is not possible inside another page. Press the button to open the sign-in "
            "page in this window."
        ),
        "login_loop_without_cookie.title": "Your browser does not stay signed in",
        "login_loop_without_cookie.text": (
            "You have just signed in several times, and each time your browser came back without the cookie that "
            "keeps you signed in. It may be blocking cookies, or it may have too many from this site. Allow cookies "
            "for this site or delete the old ones, then try again."
        ),
        "login_loop_with_cookie.title": "This site does not keep you signed in",
        "login_loop_with_cookie.text": (
            "You have just signed in several times, and each time this site ended your session at once. This is not "
            f"your fault: the site's servers may have different clocks or settings. To have it fixed, {_CONTACT}"
        ),
        "login_loop_signed_in.title": "This page keeps asking you to sign in",
        "login_loop_signed_in.text": (
            "You are signed in, but this page has asked you to sign in again several times in a row. To have it "
            f"fixed, {_CONTACT}"
        ),
        "session_too_large.title": "Sign-in did not work",
        "session_too_large.text": (
            "Your account has more data than this site can store. Use another account, or contact the people who run "
            "this site and give them the reference below."
        ),
        "bad_request.title": "This link does not work",
        "bad_request.text": "It may be incomplete or out of date. Please start again from this site.",
        "internal_error.title": "Sign-in did not work",
        "internal_error.text": (
            f"Something went wrong on this site. Please try again. If that does not help, {_CONTACT}"
        ),
        # Failures of a page of the app
        "store_unavailable.title": "This page is temporarily unavailable",
        "store_unavailable.text": (
            "This site cannot check right now whether you are signed in. You have not been signed out. Please try "
            "again in a moment."
        ),
        "tokens_unavailable.title": "This page is temporarily unavailable",
        "tokens_unavailable.text": (
            "You are still signed in, but this site cannot access your data at the moment, because the sign-in "
            "service is not responding. Please try again in a moment."
        ),
        "session_ended.title": "You have been signed out",
        "session_ended.text": "Your session has ended. Please sign in again to continue.",
        "step_up_not_done.title": "This page needs another kind of sign-in",
        "step_up_not_done.text": (
            "To open this page, you need to sign in with an extra step, or to have signed in more recently, but the "
            f"sign-in service did not ask you to. Please try again. If that does not help, {_CONTACT}"
        ),
        "step_up_impossible.title": "This page is not working",
        "step_up_impossible.text": (
            f"It requires a kind of sign-in that this site does not offer. To have it fixed, {_CONTACT}"
        ),
        "check_failed.title": "This page is not working right now",
        "check_failed.text": (
            "This site could not check whether you may open this page. Please try again. If that does not help, "
            + _CONTACT
        ),
        "foreign_origin.title": "This request came from another site",
        "foreign_origin.text": (
            "A page on another site tried to do something here on your behalf, so the request was blocked. If you "
            "meant to do this, do it from this site instead."
        ),
    }
)
