// A real OpenID provider for the tests: node oidc_provider.mjs NODE_MODULES CONFIGURATION.json
// Whoever logs in is who they say; what they are stands in the configuration.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, file] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(resolve(modules, 'oidc-provider/lib/index.js')));
const given = JSON.parse(readFileSync(file, 'utf8'));
const resource = 'https://passerelle.invalid/api';

const provider = new Provider(given.issuer, {
  clients: given.clients,
  jwks: given.jwks,
  cookies: { keys: ['a secret of the tests'] },
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email'],
  claims: { profile: ['name'], email: ['email', 'email_verified'] },
  ttl: { AccessToken: given.lives_s, ClientCredentials: given.lives_s, Interaction: 600, Session: 600, Grant: 600, IdToken: 600 },
  clientBasedCORS: () => true,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of the tests`, email: `${id}@example.org`, email_verified: true }),
  }),
  extraTokenClaims: (_, token) => ({
    roles: given.roles[token.accountId ?? token.clientId] ?? [],
    ...(token.accountId && { name: `${token.accountId} of the tests`, email: `${token.accountId}@example.org` }),
  }),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: '',
        audience: given.audience,
        accessTokenTTL: given.lives_s,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: given.algorithm } },
      }),
    },
  },
});
provider.on('server_error', (_, error) => console.error(error));
provider.listen(given.port, '127.0.0.1', () => console.log(`listening on ${given.port}`));
