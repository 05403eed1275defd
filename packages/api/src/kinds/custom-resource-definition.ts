// CustomResourceDefinition: a kind of the user's own. What serves it is the API server's; here are its rules.

import { draftOf, type Draft } from '@aksel/base/draft'
import { effectiveFormat } from '../custom/formats.ts'
import { setCondition } from '../custom/definition/conditions.ts'
import { definitionErrors, statusErrors } from '../custom/definition/definition-rules.ts'
import { isSchema } from '../custom/schema-node.ts'
import { invalid } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import type { CustomResourceDefinition, JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { dnsSubdomain } from '../validation/names.ts'
import { column, nameColumn } from './columns.ts'

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** The version that objects are written in has been stored from now on. */
function noteStoredVersion(definition: Draft<CustomResourceDefinition>): void {
  const storage = definition.spec.versions.find((version) => version.storage)?.name
  const { status } = definition
  if (storage !== undefined && status !== undefined && !status.storedVersions.includes(storage))
    status.storedVersions = [...status.storedVersions, storage]
}

export const customResourceDefinitionRules: KindRules<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
  allowUnconditionalUpdate: false,
  generationFields: ['spec'],
  default({ spec }) {
    const { names } = spec
    if ((names.singular ?? '') === '' && names.kind !== '') names.singular = names.kind.toLowerCase()
    if ((names.listKind ?? '') === '' && names.kind !== '') names.listKind = `${names.kind}List`
    spec.conversion ??= { strategy: 'None' }
    const service = spec.conversion.webhook?.clientConfig?.service
    if (service !== undefined) service.port ??= 443
  },
  prepareForCreate: noteStoredVersion,
  prepareForUpdate: noteStoredVersion,
  validateCreate(definition) {
    const { name } = definition.metadata
    const { names, group } = definition.spec
    const named =
      name === `${names.plural}.${group}`
        ? []
        : [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
    return [...named, ...definitionErrors(definition, undefined)]
  },
  nameRule: (name) => dnsSubdomain(name),
  validateUpdate: definitionErrors,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as typeof next.spec
      },
      validateUpdate: (next) => statusErrors(next),
    },
  },
  warnings(definition, old) {
    const before = new Set(old === undefined ? [] : warningsOf(old))
    return warningsOf(definition).filter((warning) => !before.has(warning))
  },
  deletion: {
    mark(definition) {
      const { metadata } = definition
      if (!(metadata.finalizers ?? []).includes(cleanupFinalizer))
        metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer]
      const condition = {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      } as const
      setCondition(definition, condition, metadata.deletionTimestamp!)
    },
  },
  columns: [nameColumn, column('Created At', 'When the object was created, in UTC.', 'date')],
  cells: ({ metadata }) => [metadata.name, metadata.creationTimestamp ?? ''],
}

function warningsOf({ spec }: CustomResourceDefinition): readonly string[] {
  const found: string[] = []
  const sets = new Set<string>()
  for (const { schema } of spec.versions)
    if (schema?.openAPIV3Schema !== undefined)
      visit(schema.openAPIV3Schema, (one) => {
        if ((one.format ?? '') !== '' && effectiveFormat(one) === '')
          found.push(`unrecognized format ${JSON.stringify(one.format)}`)
        const type = isSchema(one.items) ? one.items.type : undefined
        if (one['x-kubernetes-list-type'] === 'set' && (type === 'object' || type === 'array'))
          sets.add(
            `x-kubernetes-list-type: set for items of type ${JSON.stringify(type)} is not supported by server-side apply or CEL validation rules`,
          )
      })
  return [...found, ...[...sets].sort()]
}

function visit(schema: JSONSchemaProps, seen: (schema: JSONSchemaProps) => void): void {
  seen(schema)
  const { items, not, additionalProperties, properties = {}, allOf = [], anyOf = [], oneOf = [] } = schema
  if (isSchema(items)) visit(items, seen)
  for (const one of [...allOf, ...anyOf, ...oneOf, ...Object.values(properties)]) visit(one, seen)
  if (not !== undefined) visit(not, seen)
  if (typeof additionalProperties === 'object') visit(additionalProperties, seen)
}
