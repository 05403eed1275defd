// Definitions of custom kinds and policies that would make every later request cost much: refused when they are written.

import type { Bomb } from './bombs.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies'

function definition(what: string, spec: object, more: object = {}): Bomb {
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } }
  const names = { plural: 'bombs', singular: 'bomb', kind: 'Bomb' }
  const versions = [{ name: 'v1', served: true, storage: true, schema, ...more }]
  const object = {
    metadata: { name: 'bombs.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions },
  }
  return { what, method: 'POST', path: definitions, type: 'application/json', body: JSON.stringify(object) }
}

/** Rules over texts and lists that nothing bounds: what they may cost is estimated, and too much. */
const costly = [
  'self.all(a, self.all(b, self.all(c, a != b && b != c)))',
  'self.all(a, self.exists(b, a == b && self.exists_one(c, c == a)))',
  'self.map(a, self.map(b, a + b)).size() >= 0',
  'self.filter(a, self.all(b, a.contains(b))).size() == 0',
  'self.all(a, self.all(b, a.matches(b)))',
  'self.all(a, self.all(b, a.replace(b, a + a + a) != b))',
  'self.all(a, self.all(b, a.split(b).size() > 0))',
  'self.all(a, self.all(b, (a + b + a + b).matches("(a+)+$")))',
  'self.all(a, self.all(b, a.indexOf(b) < 0 && b.lastIndexOf(a) < 0))',
  'self.all(a, self.all(b, a.lowerAscii() != b.upperAscii() && a.trim() != b.trim()))',
  'self.map(a, self.map(b, self.map(c, a + b + c))).size() > 0',
  'self.all(a, self.all(b, self.all(c, self.exists(d, a == d))))',
  'self.all(a, self.all(b, a.findAll("a+b+").size() == b.findAll("b+a+").size()))',
] as const

function costlyRules(): readonly Bomb[] {
  return costly.map((rule) =>
    definition(`the rule ${rule}`, {
      type: 'array',
      items: { type: 'string' },
      'x-kubernetes-validations': [{ rule }],
    }),
  )
}

/** The same rules over maps, whose values are as many as one likes. */
function costlyMaps(): readonly Bomb[] {
  return costly.map((rule) =>
    definition(`over a map, the rule ${rule}`, {
      type: 'object',
      additionalProperties: { type: 'string' },
      'x-kubernetes-validations': [{ rule: rule.replaceAll('self.', 'self.map(k, self[k]).') }],
    }),
  )
}

const text = (rule: string): Bomb =>
  definition(`the rule ${rule.slice(0, 40)} of ${rule.length}`, {
    type: 'string',
    'x-kubernetes-validations': [{ rule }],
  })

function malformedRules(): readonly Bomb[] {
  const deep = (open: string, close: string, levels: number): string =>
    `${open.repeat(levels)}true${close.repeat(levels)}`
  return [
    text(deep('(', ')', 1000)),
    text(deep('!(', ')', 5000)),
    text(`${'true && '.repeat(50_000)}true`),
    text(`${'-'.repeat(10_000)}1 == 1`),
    text(`[${'['.repeat(3000)}`),
    text(`"${'a'.repeat(300_000)}" == self`),
    text('self.matches("(")'),
    text('self.matches("(?<=a)b")'),
    text('self.matches("a{100000}")'),
    text('nobody.knows(self)'),
    text('self'),
    text(''),
  ]
}

function schemas(): readonly Bomb[] {
  const nested = (levels: number): object => {
    let schema: object = { type: 'string' }
    for (let at = 0; at < levels; at += 1) schema = { type: 'object', properties: { a: schema }, bad: at }
    return { ...schema, type: 'nothing' }
  }
  const patterns = ['(', '[', '*', 'a{2,1}', '(?<n>', '\\', '(?i', 'a**', '[z-a]', '(?P<a>x)(?P<a>y)']
  return [
    ...patterns.map((pattern) => definition(`the pattern ${pattern}`, { type: 'string', pattern })),
    ...[10, 100, 1000].map((levels) => definition(`${levels} levels of a schema that is none`, nested(levels))),
    definition('a schema that points elsewhere', { $ref: '#/definitions/self' }),
    definition('a default that is too much', { type: 'string', default: { a: 'x'.repeat(100_000) } }),
    definition(
      'columns without end',
      { type: 'string' },
      {
        additionalPrinterColumns: Array.from({ length: 20_000 }, () => ({ name: 'x', type: 'string', jsonPath: '[' })),
      },
    ),
    definition(
      'fields to select by without end',
      { type: 'string' },
      {
        selectableFields: Array.from({ length: 5000 }, (_, at) => ({ jsonPath: `.spec.f${at}` })),
      },
    ),
  ]
}

function policy(what: string, spec: object): Bomb {
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }
  const object = { metadata: { name: 'bomb' }, spec: { matchConstraints: { resourceRules: [rule] }, ...spec } }
  return { what, method: 'POST', path: policies, type: 'application/json', body: JSON.stringify(object) }
}

function policyBombs(): readonly Bomb[] {
  const validation = (expression: string): object => ({ validations: [{ expression }] })
  return [
    policy('a policy nested beyond reason', validation(`${'('.repeat(2000)}true${')'.repeat(2000)}`)),
    policy('a policy of a hundred thousand terms', validation(`${'true || '.repeat(100_000)}true`)),
    policy('a policy that gives no answer', validation('[1, 2, 3]')),
    policy('a policy without an end', validation('"'.repeat(1) + 'x'.repeat(200_000))),
    policy('conditions without end', {
      ...validation('true'),
      matchConditions: Array.from({ length: 65 }, (_, at) => ({ name: `c${at}`, expression: 'true' })),
    }),
    policy('variables that need each other', {
      variables: [
        { name: 'a', expression: 'variables.b' },
        { name: 'b', expression: 'variables.a' },
      ],
      ...validation('variables.a'),
    }),
  ]
}

export function definitionBombs(): readonly Bomb[] {
  return [...costlyRules(), ...costlyMaps(), ...malformedRules(), ...schemas(), ...policyBombs()]
}
