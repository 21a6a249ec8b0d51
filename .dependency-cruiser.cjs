/**
 * The arrows of the house, checked by `npm run structure`; type-only imports count. A folder may import what its rule leaves
 * open, nothing else. `only('mail', 'kernel')` reads: mail knows itself and kernel.
 */
const features = [
  'tenants',
  'access',
  'external-users',
  'terms',
  'groups',
  'apps',
  'operators',
  'identity-providers',
  'partners',
  'proving',
  'invitations',
  'unsubscriptions',
  'bulk-invites',
  'credentials',
  'redemption',
  'sign-in',
];
const surfaces = 'api|web|openid-provider|jobs';

const forbid = (name, from, to) => ({ name, severity: 'error', from, to });

const only = (folder, ...known) =>
  forbid(
    `${folder}-knows-only-${known.join('-') || 'itself'}`,
    { path: `^src/${folder}/` },
    { path: '^src/', pathNot: `^src/(${[folder, ...known].join('|')})/` },
  );

const looksBack = features
  .slice(0, -1)
  .map((feature, index) =>
    forbid(
      `${feature}-only-looks-back`,
      { path: `^src/features/${feature}/` },
      { path: `^src/features/(${features.slice(index + 1).join('|')})/` },
    ),
  );

module.exports = {
  forbidden: [
    forbid('no-circular', {}, { circular: true }),
    forbid('imports-resolve', { path: '^src/' }, { couldNotResolve: true }),

    only('kernel'),
    only('config', 'kernel'),
    only('mail', 'kernel'),
    only('outbound', 'kernel'),
    only('telemetry', 'database', 'kernel'),
    only('database', 'kernel'),
    only('events', 'database', 'kernel'),
    only('request', 'events', 'database', 'kernel'),
    only('features', 'events', 'request', 'outbound', 'database', 'kernel'),
    ...looksBack,
    forbid(
      'known-features-only',
      { path: '^src/' },
      { path: '^src/features/', pathNot: `^src/features/(${features.join('|')})/` },
    ),
    forbid(
      'only-public-files-of-a-feature',
      { path: '^src/features/([^/]+)/' },
      {
        path: '^src/features/[^/]+/',
        pathNot: '^src/features/$1/|[.](entity|service|states|rules|port|queries|inputs|type|events)[.]ts$',
      },
    ),
    forbid(
      'surfaces-stay-apart',
      { path: `^src/(${surfaces})/` },
      { path: `^src/(${surfaces})/`, pathNot: '^src/$1/' },
    ),

    forbid(
      'rules-do-not-know-resolvers',
      { path: '[.](service|states|entity|queries)[.]ts$' },
      { path: '[.](resolver|inputs)[.]ts$' },
    ),
    forbid('rules-do-not-know-graphql', { path: '[.](service|states|queries)[.]ts$' }, { path: '/type-graphql/' }),
    forbid(
      'only-the-openid-provider-imports-its-library',
      { path: '^src/', pathNot: '^src/openid-provider/' },
      { path: '/oidc-provider/' },
    ),
    forbid(
      'only-telemetry-knows-opentelemetry',
      { path: '^src/', pathNot: '^src/telemetry/' },
      { path: '/@opentelemetry/' },
    ),
    forbid(
      'only-the-root-reads-config',
      { path: '^src/', pathNot: '^src/(config/|(app|foundation|guest-services|main|serve)[.]ts$)' },
      { path: '^src/config/' },
    ),
    forbid(
      'nothing-imports-the-root',
      { path: '^src/', pathNot: '^src/(app|main|serve)[.]ts$' },
      { path: '^src/(app|foundation|guest-services|main|serve)[.]ts$' },
    ),
    forbid('no-test-code-in-src', { path: '^src/' }, { path: '^(test|demo|bench)/' }),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
