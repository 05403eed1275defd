// The row of one version of a custom kind, made from its definition: what complete-row.ts is for the built-in kinds.

import { ApiError } from '@aksel/base/errors'
import { deepEqual } from '../deep-equal.ts'
import { invalid, type FieldError } from '../field-errors.ts'
import { setOf } from '../apply/field-set.ts'
import type { TypeSchema } from '../apply/type-schema.ts'
import type {
  CustomForm,
  KindRow,
  OwnershipRules,
  SubresourceFact,
  SubresourceUpdate,
  Verb,
  WriteContext,
} from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import type { Schema } from '../schema.ts'
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../types/apiextensions-v1.ts'
import { standardFinalizers, validateMetadata, validateMetadataUpdate } from '../validation/metadata.ts'
import { qualifiedName, subdomainName } from '../validation/names.ts'
import { customSchema } from './custom-schema.ts'
import { applyDefaults } from './defaults.ts'
import { deprecationOf } from './deprecation.ts'
import { validateEmbedded } from './embedded.ts'
import { expressionRules } from './expressions.ts'
import { storedForms, type ConvertObjects, type StoredForms } from './stored-form.ts'
import { parseJsonPath } from './json-path.ts'
import { validateLists } from './list-rules.ts'
import { schemaOf } from './version-schema.ts'
import { mergeType } from './merge-types.ts'
import { printerColumns } from './printer-columns.ts'
import { prune } from './prune.ts'
import { hasRules } from './rule-tree.ts'
import { customScale, stepsOf, validateScale } from './scale-path.ts'
import { asRoot, schemaNode, type Json, type SchemaNode } from './schema-node.ts'
import { valueValidator, type ValueValidator } from './validate-value.ts'

export interface CustomRowParts {
  readonly definition: CustomResourceDefinition
  readonly version: CustomResourceDefinitionVersion
  /** The schema of ObjectMeta. */
  readonly meta: Schema
  /** What its fields are merged by. */
  readonly metaType: TypeSchema
  readonly storageVersionHash: string
  readonly retired: AbortSignal
  /** Asks the conversion webhook; absent where the strategy is None. */
  readonly convert: ConvertObjects | undefined
}

const verbs: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

export function customRow(parts: CustomRowParts): KindRow {
  const { definition, version } = parts
  const { spec, status } = definition
  const names = status?.acceptedNames ?? spec.names
  const schema = schemaOf(definition, version)
  const root = asRoot(schemaNode(schema))
  const { subresources = {} } = version
  const table = printerColumns(version.additionalPrinterColumns ?? [])
  const namespaced = spec.scope === 'Namespaced'
  const isTerminating = definition.metadata.deletionTimestamp !== undefined
  const forms = storedForms(definition, version.name, parts.convert)
  const message = `custom:${spec.group}/${version.name}.${names.kind}`
  return {
    group: spec.group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    namespaced,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    subresources: subresourceFacts(version, names.kind, message),
    message,
    storagePrefix: `${spec.group}/${names.plural}`,
    storageVersionHash: parts.storageVersionHash,
    storedAs: undefined,
    virtual: false,
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: false,
    defaultPropagation: 'Background',
    deprecated: undefined,
    custom: formOf(parts, forms, { schema, root, message, isTerminating }),
    ownership: ownershipOf(parts, forms, schema),
    // What admission changed is held to the schema again.
    default(object) {
      prune(object as unknown as Json, root)
      applyDefaults(object as unknown as Json, root)
    },
    ...writeHooks(parts, schema, root),
    subresourceActions: {},
    scale: subresources.scale === undefined ? undefined : customScale(subresources.scale),
    allocations: undefined,
    deletion: {},
    columns: table.columns,
    cells: (object, nowMs) => table.cells(object, nowMs),
    rowConditions: () => [],
    selectableFields: selectable(version, namespaced),
  }
}

function subresourceFacts(
  { subresources = {} }: CustomResourceDefinitionVersion,
  kind: string,
  message: string,
): Readonly<Record<string, SubresourceFact>> {
  const partial: readonly Verb[] = ['get', 'patch', 'update']
  return {
    ...(subresources.status === undefined ? {} : { status: { verbs: partial, kind, message } }),
    ...(subresources.scale === undefined
      ? {}
      : {
          scale: {
            verbs: partial,
            kind: 'Scale',
            group: 'autoscaling',
            version: 'v1',
            message: 'autoscaling/v1.Scale',
          },
        }),
  }
}

interface FormFacts {
  readonly schema: JSONSchemaProps
  readonly root: SchemaNode
  readonly message: string
  readonly isTerminating: boolean
}

function formOf(
  parts: CustomRowParts,
  forms: StoredForms,
  { schema, root, message, isTerminating }: FormFacts,
): CustomForm {
  const { definition, version } = parts
  return {
    schema: customSchema(message, root, parts.meta),
    structural: schema,
    retired: parts.retired,
    fromStored: (stored) => forms.fromStored(stored),
    toStored: (object) => forms.toStored(object),
    convertsByWebhook: parts.convert !== undefined,
    deprecation: deprecationOf(definition, version),
    assertCreatable(name) {
      if (!isTerminating) return
      const { plural } = definition.spec.names
      throw new ApiError(
        'Forbidden',
        `${plural}.${definition.spec.group} ${name === '' ? '' : `${JSON.stringify(name)} `}is forbidden: create not allowed while custom resource definition is terminating`,
        { details: { name, group: definition.spec.group, kind: plural } },
      )
    },
  }
}

/** Where a version keeps its replicas, as managed fields name it. */
function replicasOf({ spec }: CustomResourceDefinition, apiVersion: string): readonly string[] | undefined {
  const version = spec.versions.find(({ name }) => `${spec.group}/${name}` === apiVersion)
  const path = version?.subresources?.scale?.specReplicasPath
  return path === undefined ? undefined : stepsOf(path).map((step) => `f:${step}`)
}

function ownershipOf(
  { definition, version, metaType }: CustomRowParts,
  forms: StoredForms,
  schema: JSONSchemaProps,
): OwnershipRules {
  const hasStatus = version.subresources?.status !== undefined
  const whole = hasStatus ? setOf(['f:status']) : setOf()
  const status = setOf(['f:metadata'], ['f:spec'])
  let type: TypeSchema | undefined
  return {
    type: () => (type ??= mergeType(schema, metaType)),
    empty: () => ({}),
    ignored: (subresource) => (subresource === 'status' ? status : whole),
    convert: (object, apiVersion) => forms.inVersion(object as KubernetesObject, apiVersion),
    replicas: (apiVersion) => replicasOf(definition, apiVersion),
  }
}

type Hooks = Pick<
  KindRow,
  'prepareForCreate' | 'prepareForUpdate' | 'validateCreate' | 'validateUpdate' | 'subresourceUpdates' | 'warnings'
>

type AnyDraft = Json & { metadata: Json & { generation?: number } }

function writeHooks(parts: CustomRowParts, schema: JSONSchemaProps, root: SchemaNode): Hooks {
  const { version, definition } = parts
  const { status, scale } = version.subresources ?? {}
  const namespaced = definition.spec.scope === 'Namespaced'
  const values = valueValidator(schema)
  const expressions = hasRules(schema) ? expressionRules(schema, true) : undefined
  const inner: SchemaNode = { ...root, isEmbedded: schema['x-kubernetes-embedded-resource'] === true }
  const judged = (
    object: KubernetesObject,
    old: KubernetesObject | undefined,
    before: readonly FieldError[],
    { warn }: Pick<WriteContext, 'warn'>,
  ): readonly FieldError[] => {
    const errors = [...before, ...listErrors(object, old, inner)]
    if (expressions === undefined) return errors
    if (errors.some(isBlocking)) return [...errors, unchecked]
    return [...errors, ...expressions.validate(object, old === undefined ? undefined : { old }, '', warn)]
  }
  return {
    prepareForCreate(object) {
      const draft = object as unknown as AnyDraft
      if (status !== undefined) delete draft['status']
      draft.metadata.generation = 1
    },
    prepareForUpdate(next, old) {
      const [draft, before] = [next as unknown as AnyDraft, old as unknown as AnyDraft]
      if (status !== undefined) putBack(draft, before, 'status')
      if (!isSameButMetadata(draft, before)) draft.metadata.generation = (before.metadata.generation ?? 0) + 1
    },
    validateCreate(object, context) {
      const meta = { namespaced, nameRule: subdomainName, anyFinalizer: true }
      const errors = [...validateMetadata(object.metadata, meta), ...values.validate(object)]
      if (scale !== undefined) errors.push(...validateScale(object, scale, 'all'))
      errors.push(...validateEmbedded(object, inner))
      return judged(object, undefined, errors, context)
    },
    validateUpdate(next, old, context) {
      const errors = [...validateMetadataUpdate(next.metadata, old.metadata), ...values.validate(next, '', { old })]
      if (scale !== undefined) errors.push(...validateScale(next, scale, 'all'))
      errors.push(...validateEmbedded(next, inner))
      return judged(next, old, errors, context)
    },
    warnings: (object, old) => finalizerWarnings(object, old),
    subresourceUpdates: status === undefined ? {} : { status: statusUpdate(parts, schema, judged) },
  }
}

type Judged = (
  object: KubernetesObject,
  old: KubernetesObject | undefined,
  before: readonly FieldError[],
  context: Pick<WriteContext, 'warn'>,
) => readonly FieldError[]

function statusUpdate(
  { version }: CustomRowParts,
  schema: JSONSchemaProps,
  judged: Judged,
): SubresourceUpdate<KubernetesObject> {
  const own = schema.properties?.['status']
  const values: ValueValidator | undefined = own === undefined ? undefined : valueValidator(own)
  const scale = version.subresources?.scale
  return {
    prepareForUpdate(next, old) {
      const [draft, before] = [next as unknown as AnyDraft, old as unknown as AnyDraft]
      const { status } = draft
      const { managedFields } = draft.metadata
      for (const key of Object.keys(draft)) delete (draft as Json)[key]
      Object.assign(draft, structuredClone(before))
      delete draft.metadata['resourceVersion']
      if (managedFields === undefined) delete draft.metadata['managedFields']
      else draft.metadata['managedFields'] = managedFields
      if (status === undefined) delete draft['status']
      else draft['status'] = status
    },
    validateUpdate(next, old, context) {
      const [after, before] = [next as unknown as Json, old as unknown as Json]
      const errors = [...validateMetadataUpdate(next.metadata, old.metadata)]
      if (values !== undefined && Object.hasOwn(after, 'status'))
        errors.push(...values.validate(after['status'], 'status', { old: before['status'] }))
      if (scale !== undefined) errors.push(...validateScale(next, scale, 'status'))
      return judged(next, old, errors, context)
    },
  }
}

/** Lists that were wrong before may stay so. */
function listErrors(
  object: KubernetesObject,
  old: KubernetesObject | undefined,
  node: SchemaNode,
): readonly FieldError[] {
  const errors = validateLists(object, node)
  return errors.length > 0 && old !== undefined && validateLists(old, node).length > 0 ? [] : errors
}

const blocking: ReadonlySet<string> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

function isBlocking({ reason }: FieldError): boolean {
  return blocking.has(reason)
}

const unchecked = invalid(
  '<nil>',
  'null',
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
)

function putBack(next: AnyDraft, old: AnyDraft, field: string): void {
  if (Object.hasOwn(old, field)) (next as Json)[field] = structuredClone(old[field])
  else delete (next as Json)[field]
}

function isSameButMetadata(next: AnyDraft, old: AnyDraft): boolean {
  return deepEqual({ ...next, metadata: undefined }, { ...old, metadata: undefined })
}

function finalizerWarnings(object: KubernetesObject, old: KubernetesObject | undefined): readonly string[] {
  const before = old?.metadata.finalizers ?? []
  const added = (object.metadata.finalizers ?? []).filter((one) => !before.includes(one)).sort()
  return added.flatMap((finalizer) => {
    const shown = `metadata.finalizers: ${JSON.stringify(finalizer)}: `
    const wrong = qualifiedName(finalizer).map((complaint) => shown + complaint)
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) return wrong
    const path = finalizer.includes('.') ? ' including a path (/)' : ''
    const advice = `prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`
    return [...wrong, shown + advice]
  })
}

function selectable(
  { selectableFields = [] }: CustomResourceDefinitionVersion,
  namespaced: boolean,
): KindRow['selectableFields'] {
  const own = selectableFields.map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), parseJsonPath(jsonPath)] as const)
  return (object) => {
    const fields: Record<string, string> = { 'metadata.name': object.metadata.name }
    if (namespaced) fields['metadata.namespace'] = object.metadata.namespace ?? ''
    for (const [name, path] of own) {
      const value = path(object)[0]
      fields[name] = value === undefined || value === null ? '' : String(value as string | number | boolean)
    }
    return fields
  }
}
