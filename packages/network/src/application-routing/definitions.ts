// Gateway API's standard kinds as definitions, with upstream's fields, limits and defaults as far as they are served here;
// fields beyond are kept as they come.

import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'

type Schema = Readonly<Record<string, unknown>>

const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more })
const list = (items: Schema, description: string, more: Schema = {}): Schema => ({
  type: 'array',
  items,
  description,
  ...more,
})
const fields = (description: string, properties: Readonly<Record<string, Schema>>, more: Schema = {}): Schema => ({
  type: 'object',
  description,
  properties,
  'x-kubernetes-preserve-unknown-fields': true,
  ...more,
})

const hostname = text('A host name; its first label may be a star.', {
  minLength: 1,
  maxLength: 253,
  pattern: String.raw`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`,
})
const port = (description: string): Schema => ({
  type: 'integer',
  format: 'int32',
  minimum: 1,
  maximum: 65_535,
  description,
})
const conditions = list(
  fields('A condition.', {
    type: text('Its type.'),
    status: text('True, False or Unknown.'),
    reason: text('One word for the reason.'),
    message: text('The reason for people.'),
    observedGeneration: { type: 'integer', format: 'int64', description: 'Of the object that was judged.' },
    lastTransitionTime: text('When its status changed.', { format: 'date-time' }),
  }),
  'What holds of the object.',
)
const reference = (kind: string, group: string): Readonly<Record<string, Schema>> => ({
  group: text('Group of the object.', { default: group }),
  kind: text('Kind of the object.', { default: kind }),
  name: text('Name of the object.', { minLength: 1, maxLength: 253 }),
  namespace: text('Its namespace; the own one where absent.'),
})

const gatewaySpec = fields(
  'What is wanted.',
  {
    gatewayClassName: text('The class.', { minLength: 1, maxLength: 253 }),
    listeners: list(
      fields(
        'A port and a host name that are listened for.',
        {
          name: text('Names the listener.', { minLength: 1, maxLength: 253 }),
          hostname,
          port: port('The port.'),
          protocol: text('HTTP or HTTPS.', { minLength: 1, maxLength: 255 }),
          tls: fields('How TLS ends.', {
            mode: text('Terminate or Passthrough.', { enum: ['Terminate', 'Passthrough'], default: 'Terminate' }),
            certificateRefs: list(
              fields('A Secret.', reference('Secret', ''), { required: ['name'] }),
              'Certificates.',
              { maxItems: 64 },
            ),
          }),
          allowedRoutes: fields(
            'Which routes may attach.',
            {
              namespaces: fields(
                'Of which namespaces.',
                {
                  from: text('Same, All or Selector.', { enum: ['Same', 'All', 'Selector', 'None'], default: 'Same' }),
                  selector: fields('Labels of the namespaces.', {}),
                },
                { default: { from: 'Same' } },
              ),
            },
            { default: { namespaces: { from: 'Same' } } },
          ),
        },
        { required: ['name', 'port', 'protocol'] },
      ),
      'Listeners.',
      { minItems: 1, maxItems: 64, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
    ),
  },
  { required: ['gatewayClassName', 'listeners'] },
)

const valueMatch = (description: string): Schema =>
  fields(
    description,
    {
      type: text('Exact or RegularExpression.', { enum: ['Exact', 'RegularExpression'], default: 'Exact' }),
      name: text('The name.', { minLength: 1, maxLength: 256 }),
      value: text('The value.', { minLength: 1, maxLength: 4096 }),
    },
    { required: ['name', 'value'] },
  )

const routeSpec = fields('What is wanted.', {
  parentRefs: list(
    fields(
      'A Gateway.',
      {
        ...reference('Gateway', 'gateway.networking.k8s.io'),
        sectionName: text('Its listener.'),
        port: port('Its port.'),
      },
      { required: ['name'] },
    ),
    'Where the route hangs.',
    { maxItems: 32 },
  ),
  hostnames: list(hostname, 'Host names that it is for.', { maxItems: 16 }),
  rules: list(
    fields('What fits goes to these backends.', {
      name: text('Names the rule.'),
      matches: list(
        fields('All that is given must fit.', {
          path: fields(
            'The path.',
            {
              type: text('Exact, PathPrefix or RegularExpression.', {
                enum: ['Exact', 'PathPrefix', 'RegularExpression'],
                default: 'PathPrefix',
              }),
              value: text('The value.', { maxLength: 1024, default: '/' }),
            },
            { default: { type: 'PathPrefix', value: '/' } },
          ),
          headers: list(valueMatch('A header.'), 'Headers.', { maxItems: 16 }),
          queryParams: list(valueMatch('A parameter of the query.'), 'Parameters.', { maxItems: 16 }),
          method: text('The method.', {
            enum: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'],
          }),
        }),
        'One that fits is enough.',
        { maxItems: 64, default: [{ path: { type: 'PathPrefix', value: '/' } }] },
      ),
      filters: list(
        fields('A change on the way.', { type: text('Its kind.') }, { required: ['type'] }),
        'Changes, in order.',
        { maxItems: 16 },
      ),
      backendRefs: list(
        fields(
          'A Service.',
          {
            ...reference('Service', ''),
            port: port('Its port.'),
            weight: {
              type: 'integer',
              format: 'int32',
              minimum: 0,
              maximum: 1_000_000,
              default: 1,
              description: 'Its share.',
            },
          },
          { required: ['name'] },
        ),
        'Backends.',
        { maxItems: 16 },
      ),
    }),
    'Rules.',
    { maxItems: 16 },
  ),
})

const grantSpec = fields(
  'What is allowed.',
  {
    from: list(
      fields(
        'Objects that may refer.',
        { group: text('Their group.'), kind: text('Their kind.'), namespace: text('Their namespace.') },
        { required: ['group', 'kind', 'namespace'] },
      ),
      'Who may refer.',
      { minItems: 1, maxItems: 16 },
    ),
    to: list(
      fields(
        'Objects that may be referred to.',
        { group: text('Their group.'), kind: text('Their kind.'), name: text('One of them.') },
        { required: ['group', 'kind'] },
      ),
      'To what.',
      { minItems: 1, maxItems: 16 },
    ),
  },
  { required: ['from', 'to'] },
)

const classSpec = fields(
  'What is wanted.',
  {
    controllerName: text('Who serves the class.', { minLength: 1, maxLength: 253 }),
    description: text('For people.', { maxLength: 64 }),
  },
  { required: ['controllerName'] },
)

interface Kind {
  readonly kind: string
  readonly plural: string
  readonly short: readonly string[]
  readonly scope: 'Cluster' | 'Namespaced'
  readonly version: string
  readonly spec: Schema
  readonly columns: readonly (readonly [string, string])[]
}

const kinds: readonly Kind[] = [
  {
    kind: 'GatewayClass',
    plural: 'gatewayclasses',
    short: ['gc'],
    scope: 'Cluster',
    version: 'v1',
    spec: classSpec,
    columns: [
      ['Controller', '.spec.controllerName'],
      ['Accepted', '.status.conditions[?(@.type=="Accepted")].status'],
    ],
  },
  {
    kind: 'Gateway',
    plural: 'gateways',
    short: ['gtw'],
    scope: 'Namespaced',
    version: 'v1',
    spec: gatewaySpec,
    columns: [
      ['Class', '.spec.gatewayClassName'],
      ['Address', '.status.addresses[*].value'],
      ['Programmed', '.status.conditions[?(@.type=="Programmed")].status'],
    ],
  },
  {
    kind: 'HTTPRoute',
    plural: 'httproutes',
    short: [],
    scope: 'Namespaced',
    version: 'v1',
    spec: routeSpec,
    columns: [['Hostnames', '.spec.hostnames']],
  },
  {
    kind: 'ReferenceGrant',
    plural: 'referencegrants',
    short: ['refgrant'],
    scope: 'Namespaced',
    version: 'v1beta1',
    spec: grantSpec,
    columns: [],
  },
]

export function gatewayDefinitions(): readonly CustomResourceDefinition[] {
  return kinds.map(({ kind, plural, short, scope, version, spec, columns }) => {
    const status = fields('What became of it.', { conditions })
    const schema = {
      type: 'object',
      description: `${kind} of Gateway API.`,
      required: ['spec'],
      properties: {
        apiVersion: text('The version.'),
        kind: text('The kind.'),
        metadata: { type: 'object' },
        spec,
        status,
      },
    }
    return {
      metadata: {
        name: `${plural}.gateway.networking.k8s.io`,
        annotations: {
          'api-approved.kubernetes.io': 'unapproved, the served part of the standard channel',
          'gateway.networking.k8s.io/bundle-version': 'v1.3.0',
          'gateway.networking.k8s.io/channel': 'standard',
        },
      },
      spec: {
        group: 'gateway.networking.k8s.io',
        scope,
        names: {
          kind,
          plural,
          singular: kind.toLowerCase(),
          listKind: `${kind}List`,
          shortNames: short,
          categories: ['gateway-api'],
        },
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            ...(kind === 'ReferenceGrant' ? {} : { subresources: { status: {} } }),
            additionalPrinterColumns: [
              ...columns.map(([name, jsonPath]) => ({ name, jsonPath, type: 'string' })),
              { name: 'Age', jsonPath: '.metadata.creationTimestamp', type: 'date' },
            ],
          },
        ],
      },
    } as unknown as CustomResourceDefinition
  })
}
