// The kind row: everything the API server, discovery, OpenAPI and the command line know about one kind. The pipeline
// reads rows and mentions no kind; what is special about a kind is a named hook in its row.

import type { Draft } from '@aksel/base/draft'
import type { Random } from '@aksel/base/ids'
import type { FieldSet } from './apply/field-set.ts'
import type { TypeSchema } from './apply/type-schema.ts'
import type { FeatureGates } from './feature-gates.ts'
import type { FieldError } from './field-errors.ts'
import type { KubernetesObject, ResourceType } from './resource.ts'
import type { Schema } from './schema.ts'
import type { JSONSchemaProps } from './types/apiextensions-v1.ts'
import type { Minor } from './tables.ts'
import type { LegacyAddress } from './warnings/addresses.ts'
import type { Scale } from './types/autoscaling-v1.ts'

/** What a server is: rules that differ between minors, or that a gate switches, ask. */
export interface Release {
  readonly minor: Minor
  readonly gates: FeatureGates
}

/** Who writes and when; handed to the hooks that need it. */
export interface WriteContext {
  readonly release: Release
  readonly nowMs: number
  readonly random: Random
  /** Families of the cluster's service addresses, its default first. IPv4 where absent. */
  readonly serviceFamilies?: readonly ('IPv4' | 'IPv6')[]
  /** A sentence for the Warning header. */
  warn?(sentence: string): void
  readonly user: {
    readonly name: string
    readonly uid?: string
    readonly groups?: readonly string[]
    readonly extra?: Readonly<Record<string, readonly string[]>>
  }
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

/** What discovery says of a subresource. */
export interface SubresourceFact {
  readonly verbs: readonly Verb[]
  /** Kind of its body, in the group and version below (the row's own when absent). */
  readonly kind: string
  readonly group?: string
  readonly version?: string
  /** Table reference of its body's message: `autoscaling/v1.Scale`. */
  readonly message: string
}

/** How a write through one subresource differs from one of the whole object. */
export interface SubresourceUpdate<T extends KubernetesObject> {
  /** Puts back what this subresource may not change. */
  prepareForUpdate(next: Draft<T>, old: T, context: WriteContext): void
  validateUpdate(next: T, old: T, context: WriteContext): readonly FieldError[]
}

/** A POST on a subresource that changes the object (`pods/binding`): throws an ApiError where it is refused. */
export interface SubresourceAction<T extends KubernetesObject> {
  apply(object: Draft<T>, body: Readonly<Record<string, unknown>>, context: WriteContext): void
}

export interface ScaleRules<T extends KubernetesObject> {
  /** Throws where the object has no replicas to show (a custom resource without the field). */
  assertReadable?(object: T): void
  toScale(object: T): Scale
  /** Sets the replicas; validation of the whole object follows. */
  applyScale(object: Draft<T>, scale: Scale): void
}

/** A cluster-wide unique value that an object asks for; the API server keeps the pools. */
export interface AllocationNeed {
  readonly pool: 'clusterIP' | 'nodePort'
  /** The field that an error names: `spec.clusterIPs[0]`. */
  readonly field: string
  /** Of an address. */
  readonly family?: 'IPv4' | 'IPv6'
  /** The value asked for; absent: any free one. */
  readonly value?: string
  /** Two needs of one object with the same key share one value (a node port for TCP and for UDP). */
  readonly shareKey?: string
}

export interface AllocationRules<T extends KubernetesObject> {
  /** What the object lacks or names; `old` on updates. */
  needs(object: T, old: T | undefined): readonly AllocationNeed[]
  /** Writes the values into the object, in the order of `needs`. */
  assign(object: Draft<T>, needs: readonly AllocationNeed[], values: readonly string[]): void
  /** What a stored object holds: to fill the pools at start, and to free on deletion. */
  holds(object: T): readonly { readonly pool: AllocationNeed['pool']; readonly value: string }[]
}

/** How the ownership of an object's fields is kept (metadata.managedFields), and what an apply merges by. */
export interface OwnershipRules {
  type(): TypeSchema
  /** An object with nothing set, with the zero values that its decoder gives. */
  empty(): unknown
  /** What a write through this subresource ('' the whole object) does not change, so that nobody comes to own it by that. */
  ignored(subresource: string): FieldSet
  /** A pattern of the only fields that it changes; absent: all that are not ignored. */
  only?(subresource: string): FieldSet | undefined
  /** The object in another served version (undefined: not served); absent: by the rows that share the place in the store. */
  convert?(object: unknown, apiVersion: string): Promise<unknown>
  /** Where a version keeps the replicas of its scale, as path elements; absent: `f:spec`, `f:replicas` in all. */
  replicas?(apiVersion: string): readonly string[] | undefined
}

export interface DeletionRules<T extends KubernetesObject> {
  /** Seconds the object stays with its deletionTimestamp; 0 removes it at once. `requestedSeconds` is the caller's wish. */
  gracePeriodSeconds?(object: T, requestedSeconds: number | undefined): number
  /** Changes made together with setting the deletionTimestamp (a namespace becomes Terminating). */
  mark?(object: Draft<T>): void
  /** True while a marked object must stay though its finalizers are gone and its grace period is over. */
  isHeld?(object: T): boolean
}

/** An object of this kind lies in the store as another kind (events.k8s.io Event as core Event). */
export interface StoredAs {
  readonly groupVersion: string
  readonly kind: string
  toStored(object: Draft<KubernetesObject>): Draft<KubernetesObject>
  fromStored(stored: KubernetesObject): Draft<KubernetesObject>
}

export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format: string
  readonly description: string
  /** 1: only shown wide. */
  readonly priority: 0 | 1
}

export type Cell = string | number | boolean | null

export interface RowCondition {
  readonly type: 'Completed'
  readonly status: 'True'
  readonly reason: string
  readonly message: string
}

/** What a kind's own file writes: its names (to find the facts) and its hooks. Absent hooks get the common behaviour. */
export interface KindRules<T extends KubernetesObject = KubernetesObject> {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  /** Upstream's place in the store, without slashes at its ends: `pods`, `services/specs`, `minions`. */
  readonly storagePrefix?: string
  readonly storedAs?: StoredAs
  /** Answered without being stored (access reviews). */
  readonly virtual?: boolean
  /** PUT on a name that does not exist creates it. */
  readonly allowCreateOnUpdate?: boolean
  /** PUT without a resourceVersion overwrites. Default true. */
  readonly allowUnconditionalUpdate?: boolean
  /** How dependents fare when a delete does not say. Default Background. */
  readonly defaultPropagation?: 'Background' | 'Orphan'
  /** Paths whose change raises metadata.generation (`spec`, `metadata.annotations`); absent: the kind counts none. */
  readonly generationFields?: readonly string[]
  /** By subresource ('' the whole object): dotted paths that a write through it leaves as they were, beyond status and spec. */
  readonly ignoredFields?: Readonly<Record<string, readonly string[]>>
  /** By subresource: dotted paths, `*` for any item, of the only fields that a write through it changes. */
  readonly ownedFields?: Readonly<Record<string, readonly string[]>>
  /** A new object keeps the status it comes with: a node registers with it. */
  readonly keepStatusOnCreate?: boolean
  default?(object: Draft<T>): void
  prepareForCreate?(object: Draft<T>, context: WriteContext): void
  prepareForUpdate?(next: Draft<T>, old: T, context: WriteContext): void
  /** Rules beyond those on metadata, which the common part checks with `nameRule`. */
  validateCreate?(object: T, context: WriteContext): readonly FieldError[]
  /** Also called after `validateCreate`'s checks where the kind's rules hold for both; returns every error itself. */
  validateUpdate?(next: T, old: T, context: WriteContext): readonly FieldError[]
  /** What is wrong with this name, in upstream's words; '' or undefined when nothing is. */
  readonly nameRule?: NameRule
  /** Sentences for the Warning header. */
  warnings?(object: T, old: T | undefined, release: Release): readonly string[]
  /** Addresses in older fields, which take several ways of writing one: warned of, and judged strictly where a gate says so. */
  legacyAddresses?(object: T): readonly LegacyAddress[]
  /** Rules that a gate or a minor decides; what the old object says already is to stay allowed. */
  validateRelease?(next: T, old: T | undefined, release: Release): readonly FieldError[]
  readonly subresourceUpdates?: Readonly<Record<string, SubresourceUpdate<T>>>
  readonly subresourceActions?: Readonly<Record<string, SubresourceAction<T>>>
  readonly scale?: ScaleRules<T>
  readonly allocations?: AllocationRules<T>
  readonly deletion?: DeletionRules<T>
  readonly columns?: readonly Column[]
  cells?(object: T, nowMs: number): readonly Cell[]
  rowConditions?(object: T): readonly RowCondition[]
  /** Beyond metadata.name and metadata.namespace. */
  selectableFields?(object: T): Readonly<Record<string, string>>
}

/** Complaints about a name; `prefix`: the name is a generateName and something will follow it. */
export type NameRule = (name: string, prefix: boolean, release?: Release) => readonly string[]

/** What is different about a kind that a CustomResourceDefinition made: its schema came with it, and may change. */
export interface CustomForm {
  /** How a body is read; the tables know nothing of it. */
  readonly schema: Schema
  /** The schema as the definition has it, for who compiles something of its own from it. */
  readonly structural: JSONSchemaProps
  /** Aborted when another row takes the place of this one: watches end, and clients list again. */
  readonly retired: AbortSignal
  /** The stored object as this version shows it (the same one where nothing differs); a promise where a webhook is asked. */
  fromStored(stored: readonly KubernetesObject[]): readonly KubernetesObject[] | Promise<readonly KubernetesObject[]>
  /** In the storage version. */
  toStored(object: KubernetesObject): KubernetesObject | Promise<KubernetesObject>
  /** True where `fromStored` may wait. */
  readonly convertsByWebhook: boolean
  /** Sentence for the Warning header of every request, for a deprecated version. */
  readonly deprecation: string | undefined
  /** Throws where no object may be made: the definition is being deleted. */
  assertCreatable(name: string): void
}

/** The complete row: facts of the minor's tables and the kind's rules, nothing left optional that the pipeline calls. */
export interface KindRow<T extends KubernetesObject = KubernetesObject> extends ResourceType<T> {
  readonly singular: string
  readonly listKind: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly Verb[]
  readonly subresources: Readonly<Record<string, SubresourceFact>>
  /** Table reference of the object: `core/v1.Pod`. */
  readonly message: string
  readonly storagePrefix: string
  readonly storageVersionHash: string
  readonly storedAs: StoredAs | undefined
  readonly virtual: boolean
  readonly allowCreateOnUpdate: boolean
  readonly allowUnconditionalUpdate: boolean
  readonly defaultPropagation: 'Background' | 'Orphan'
  readonly deprecated:
    | { readonly since: string; readonly removedIn: string | undefined; readonly replacement: string | undefined }
    | undefined
  /** Fills in the values that upstream fills in; idempotent. Also run on what comes out of mutating admission. */
  default(object: Draft<T>): void
  /** Resets the status, sets generation 1 and what the kind computes. Identity (uid, creationTimestamp, name from generateName) is the pipeline's. */
  prepareForCreate(object: Draft<T>, context: WriteContext): void
  /** Puts back the status and raises the generation where the kind has one. */
  prepareForUpdate(next: Draft<T>, old: T, context: WriteContext): void
  /** Metadata and kind rules together. */
  validateCreate(object: T, context: WriteContext): readonly FieldError[]
  validateUpdate(next: T, old: T, context: WriteContext): readonly FieldError[]
  warnings(object: T, old: T | undefined, release: Release): readonly string[]
  /** Writes through these keep everything else; `status` is there whenever the kind has it. */
  readonly subresourceUpdates: Readonly<Record<string, SubresourceUpdate<T>>>
  readonly subresourceActions: Readonly<Record<string, SubresourceAction<T>>>
  readonly scale: ScaleRules<T> | undefined
  /** Absent for built-in kinds. */
  readonly custom?: CustomForm
  readonly allocations: AllocationRules<T> | undefined
  /** Absent: its objects have no schema, and merge as plain JSON. */
  readonly ownership?: OwnershipRules
  readonly deletion: DeletionRules<T>
  /** What a DELETE answers once the object is gone; absent or false: a Status. */
  readonly deletionAnswersWithObject?: boolean
  readonly columns: readonly Column[]
  /** One cell per column. */
  cells(object: T, nowMs: number): readonly Cell[]
  rowConditions(object: T): readonly RowCondition[]
  /** Values that field selectors can ask for, by path; metadata.name and metadata.namespace included. */
  selectableFields(object: T): Readonly<Record<string, string>>
}
