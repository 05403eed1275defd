// What a CustomResourceDefinition may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { label1035 } from './words.ts'

const versions = 'spec.versions.0'
const schema = `${versions}.schema.openAPIV3Schema`
const shown = 'spec.versions[0]'
const spec = `${schema}.properties.spec`
const shownSpec = `${shown}.schema.openAPIV3Schema.properties[spec]`

export const customResourceDefinitionExamples: RefusedExamples = {
  kind: 'CustomResourceDefinition',
  valid: {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } },
            },
          },
        },
      ],
      conversion: { strategy: 'None' },
    },
  },
  create: [
    [
      { 'metadata.name': 'others.example.com' },
      'metadata.name: Invalid value: "others.example.com": must be spec.names.plural+"."+spec.group',
    ],
    [{ 'spec.scope': 'Galaxy' }, 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
    [
      { 'spec.names.kind': 'wid_get' },
      `spec.names.kind: Invalid value: "wid_get": may have mixed case, but should otherwise match: ${label1035}`,
    ],
    [{ 'spec.names.shortNames': ['W'] }, `spec.names.shortNames[0]: Invalid value: "W": ${label1035}`],
    [
      { 'spec.names.listKind': 'Widget' },
      'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same',
    ],
    [
      { 'spec.versions': [] },
      [
        'spec.versions: Invalid value: []: must have exactly one version marked as storage version',
        'status.storedVersions: Invalid value: []: must have at least one stored version',
      ],
    ],
    [{ [`${versions}.name`]: 'V1' }, `${shown}.name: Invalid value: "V1": ${label1035}`],
    [{ [`${versions}.schema`]: undefined }, `${shown}.schema.openAPIV3Schema: Required value`],
    [
      { [`${schema}.type`]: 'string' },
      `${shown}.schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root`,
    ],
    [
      { [`${spec}.type`]: undefined },
      `${shownSpec}.type: Required value: must not be empty for specified object fields`,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'thing' } },
      `${shownSpec}.properties[a].type: Unsupported value: "thing": supported values: "array", "boolean", "integer", "number", "object", "string"`,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'string', pattern: '(' } },
      `${shownSpec}.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'string', default: 1 } },
      `${shownSpec}.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"`,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'string', uniqueItems: true } },
      `${shownSpec}.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
    ],
    [
      { [`${spec}.properties.a`]: { $ref: '#/x' } },
      [
        `${shownSpec}.properties[a].type: Required value: must not be empty for specified object fields`,
        `${shownSpec}.properties[a].$ref: Forbidden: $ref is not supported`,
      ],
    ],
    [
      { [`${spec}.properties.a`]: { type: 'array' } },
      `${shownSpec}.properties[a].items: Required value: must be specified`,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } },
      `${shownSpec}.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
    ],
    [
      { [`${spec}.properties.a`]: { type: 'string', anyOf: [{ type: 'string' }] } },
      `${shownSpec}.properties[a].anyOf[0].type: Forbidden: must be empty to be structural`,
    ],
    [
      { [`${spec}.additionalProperties`]: { type: 'string' } },
      `${shownSpec}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
    ],
    [
      { [`${versions}.subresources`]: { scale: { specReplicasPath: '.spec.n', statusReplicasPath: 'status.n' } } },
      `${shown}.subresources.scale.statusReplicasPath: Invalid value: "status.n": must be a simple json path starting with .`,
    ],
    [
      { [`${versions}.additionalPrinterColumns`]: [{ name: 'A', type: 'text', jsonPath: 'a' }] },
      [
        `${shown}.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string`,
        `${shown}.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .`,
      ],
    ],
    [
      { [`${versions}.selectableFields`]: [{ jsonPath: '.spec.b' }] },
      `${shown}.selectableFields[0].jsonPath: Invalid value: ".spec.b": is an invalid path: does not refer to a valid field`,
    ],
    [
      { 'spec.conversion': { strategy: 'Webhook' } },
      [
        'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
        'spec.conversion.conversionReviewVersions: Required value',
      ],
    ],
    [
      { 'spec.conversion': { strategy: 'Magic' } },
      'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"',
    ],
    [
      { 'spec.preserveUnknownFields': true },
      'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    ],
  ],
  update: [
    [
      { 'spec.scope': 'Cluster' },
      'spec.scope: Invalid value: "Cluster": field is immutable',
      { 'status.conditions': [{ type: 'Established', status: 'True' }] },
    ],
    [{ 'spec.group': 'other.com' }, 'spec.group: Invalid value: "other.com": field is immutable'],
    [
      { [`${versions}.name`]: 'v2' },
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
      { 'status.storedVersions': ['v1'] },
    ],
  ],
  status: [
    [
      { 'status.acceptedNames.kind': 'wid_get' },
      `status.acceptedNames.kind: Invalid value: "wid_get": may have mixed case, but should otherwise match: ${label1035}`,
    ],
  ],
}
