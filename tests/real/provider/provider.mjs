// A certified OpenID Provider on a free loopback port; it says its issuer in one line of JSON and obeys POST /__control.
//
//     node provider.mjs '{"host": "127.0.0.1", "certificate": "leaf.pem", "key": "leaf.key", "clientAuthority": "ca.pem"}'
//
// Without a certificate it speaks plain http. With an authority for the certificates of clients, it follows the FAPI 2.0
// profile. It ends when its standard input is closed, so that it never outlives us.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { fapiConfiguration, mtlsOrigin, newKeys, TLS } from './fapi.mjs';

// Its advice for production is noise here; what goes wrong is said by `server_error` below.
console.warn = () => {};
console.info = () => {};
const { errors, Provider } = await import('oidc-provider');

const CONTROL = '/__control';
const LARGEST_BODY = 65_536; // bytes
const PEOPLE = {
  alice: { name: 'Alice Adams', email: 'alice@example.com' },
  bob: { name: 'Bob Brown', email: 'bob@example.com' },
};

const { host = '127.0.0.1', certificate, key, clientAuthority } = JSON.parse(process.argv[2] ?? '{}');
const secure = certificate !== undefined;
const isFapi = clientAuthority !== undefined;
const server = secure
  ? https.createServer({ ...(isFapi && TLS), cert: readFileSync(certificate), key: readFileSync(key) }, answer)
  : http.createServer(answer);
const aliases = isFapi ? await mtlsOrigin(answer, { host, certificate, key, clientAuthority }) : undefined;

// What POST /__control changes; but for lifetimes, a provider is made anew with it, which knows no session and no token.
const state = { clients: [], conformIdTokenClaims: true, accessTokenLifetime: 300, keys: makeKeys(), nonces: true, resources: {} };
const calls = [];
const grants = []; // 'refresh_token', or 'refresh_token invalid_grant' when it was refused
const logouts = []; // what each client answered to a logout token: 'web', or 'web Error: expected 200 OK from ..., got: 400'
const revoked = []; // where each grant was ended: 'token' (a token was used twice), 'revocation', 'end_session_confirm'
let issuer;
let provider;
let handle;

process.stdin.on('end', () => process.exit(0)).resume();
server.listen(0, host, () => {
  issuer = `${secure ? 'https' : 'http'}://${host}:${server.address().port}`;
  renew();
  console.log(JSON.stringify({ issuer }));
});

function makeKeys() {
  if (isFapi) return newKeys();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return [{ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }];
}

function renew() {
  const configuration = {
    clients: state.clients,
    jwks: { keys: state.keys },
    conformIdTokenClaims: state.conformIdTokenClaims,
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    ttl: { AccessToken: () => state.accessTokenLifetime, AuthorizationCode: 60, Grant: 600, IdToken: 300, Interaction: 300, RefreshToken: 600, Session: 600 },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    clockTolerance: 0, // one machine, one clock: a token that lives for a second is over after a second
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: { getResourceServerInfo },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
    },
    // Its dispatcher refuses loopback addresses, where all apps of tests are.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email_verified: true, ...PEOPLE[id] }) }),
    loadExistingGrant,
    renderError: (ctx, out) => page(ctx, 'Error', Object.values(out).join(': ')),
  };
  const isNonceRequired = () => state.nonces;
  provider = new Provider(issuer, isFapi ? fapiConfiguration(configuration, { isNonceRequired, aliases }) : configuration);
  provider.use(forgetRegisteredScope);
  provider.on('server_error', (ctx, err) => console.error(err));
  provider.on('grant.success', (ctx) => grants.push(ctx.oidc.params.grant_type));
  provider.on('grant.error', (ctx, err) => grants.push(`${ctx.oidc.params?.grant_type} ${err.error}`));
  provider.on('backchannel.success', (ctx, client) => logouts.push(client.clientId));
  provider.on('backchannel.error', (ctx, err, client) => logouts.push(`${client.clientId} ${err}`));
  provider.on('grant.revoked', (ctx) => revoked.push(ctx.oidc.route));
  handle = provider.callback();
}

// Nobody is asked for consent: whoever signs in grants what was asked.
async function loadExistingGrant(ctx) {
  const { client, session } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid profile email offline_access');
  for (const [url, { scope }] of Object.entries(state.resources)) grant.addResourceScope(url, scope);
  await grant.save();
  return grant;
}

// The APIs: scopes and the format of access tokens, 'jwt' or 'opaque', by resource indicator (RFC 8707).
async function getResourceServerInfo(ctx, url) {
  if (!Object.hasOwn(state.resources, url)) throw new errors.InvalidTarget();
  const { scope, format } = state.resources[url];
  return { audience: url, scope, accessTokenFormat: format, accessTokenTTL: state.accessTokenLifetime };
}

// A client registers with the scopes that it needs first, and must not be held to those when it needs more later.
async function forgetRegisteredScope(ctx, next) {
  if (ctx.method === 'POST' && ctx.path === '/reg') {
    const { scope, ...metadata } = JSON.parse(await read(ctx.req));
    ctx.req.body = metadata;
  }
  await next();
}

function page(ctx, title, content) {
  ctx.type = 'html';
  ctx.body = html(title, content);
}

function html(title, content) {
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${content}`;
}

function logoutSource(ctx, form) {
  const button = '<button autofocus name="logout" value="yes">Yes, sign me out</button>';
  page(ctx, 'Sign out?', form.replace('</form>', `${button}</form>`));
}

function postLogoutSuccessSource(ctx) {
  page(ctx, 'Signed out', 'You are signed out of the provider.');
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, issuer);
  try {
    if (pathname === CONTROL) {
      await control(request, response);
    } else if (pathname.startsWith('/interaction/')) {
      await interact(request, response);
    } else {
      calls.push(`${request.method} ${pathname}`);
      handle(request, response);
    }
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}

// The login page: one button for each person.
async function interact(request, response) {
  if (request.method === 'POST') {
    const login = { accountId: new URLSearchParams(await read(request)).get('login') };
    await provider.interactionFinished(request, response, { login });
    return;
  }
  // Who comes back to one that is over is asked again.
  const prompt = await provider.interactionDetails(request, response).then((found) => found.prompt.name, () => 'login');
  if (prompt === 'consent') { // asked for with prompt=consent, without which there is no offline_access
    await provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
    return;
  }
  const buttons = Object.entries(PEOPLE)
    .map(([id, { name }]) => `<button name="login" value="${id}">${name}</button>`)
    .join('');
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(html('Sign in', `<form method="post">${buttons}</form>`));
}

// POST {"clients": [...], "conformIdTokenClaims": bool, "accessTokenLifetime": seconds, "rotate": true,
// "nonces": bool, "resources": {url: {"scope": "...", "format": "jwt" | "opaque"}}}, each optional;
// GET says the calls, the grants, the logouts and the revoked grants so far. A client takes the place of one with the same id; it gets
// refresh tokens when it is registered for the grant type, and each of them works once.
async function control(request, response) {
  if (request.method === 'POST') {
    const { rotate, clients = [], ...changes } = JSON.parse(await read(request));
    const ids = new Set(clients.map(({ client_id: id }) => id));
    state.clients = [...state.clients.filter(({ client_id: id }) => !ids.has(id)), ...clients];
    Object.assign(state, changes);
    if (rotate) state.keys = makeKeys();
    if (rotate || clients.length || 'conformIdTokenClaims' in changes) renew();
    calls.length = grants.length = logouts.length = revoked.length = 0;
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ calls, grants, logouts, revoked }));
}

async function read(request) {
  let body = '';
  for await (const piece of request) {
    body += piece;
    if (body.length > LARGEST_BODY) throw new Error('the body is too large');
  }
  return body;
}
