// What an expression may mention: variables with their types, functions, and types it may build.

import { functionTable, type FunctionDeclaration, type FunctionTable } from './functions.ts'
import { standardFunctions } from './standard.ts'
import { conversionFunctions } from './conversions.ts'
import { timeFunctions } from './time-functions.ts'
import { optionalFunctions } from './optionals.ts'
import { dynType, nullType, simpleKinds, timestampType, durationType, type CelType, type ObjectType } from './types.ts'
import { kubernetesLibraries } from './library/libraries.ts'

export interface Environment {
  readonly variables: ReadonlyMap<string, CelType>
  readonly functions: FunctionTable
  /** Whether `cel.bind` may name a value: only where upstream's environment has it. */
  readonly hasBindings: boolean
  /** The type `Name{…}` builds. */
  structType(name: string): ObjectType | undefined
  /** The type a bare name like `int` stands for, wrapped as `type(int)`. */
  typeIdent(name: string): CelType | undefined
}

export interface EnvironmentOptions {
  readonly variables?: Readonly<Record<string, CelType>>
  /** Types that `Name{…}` builds; their names are values too. */
  readonly structs?: (name: string) => ObjectType | undefined
  readonly functions?: readonly (readonly FunctionDeclaration[])[]
  readonly hasBindings?: boolean
}

const typeNames = new Map<string, CelType>(
  simpleKinds.filter((kind) => kind !== 'error').map((kind) => [kind, { kind }] as const),
)
typeNames.delete('timestamp')
typeNames.delete('duration')
typeNames.set('null_type', nullType)
typeNames.set('list', { kind: 'list', element: dynType })
typeNames.set('map', { kind: 'map', key: dynType, value: dynType })
typeNames.set('type', { kind: 'type', of: undefined })
typeNames.set('google.protobuf.Timestamp', timestampType)
typeNames.set('google.protobuf.Duration', durationType)
typeNames.set('optional_type', { kind: 'opaque', name: 'optional_type', parameters: [dynType] })

/** The functions of a Kubernetes API server of 1.34 and later. They hold no state. */
const kubernetesFunctions: FunctionTable = functionTable([
  standardFunctions,
  conversionFunctions,
  timeFunctions,
  optionalFunctions,
  ...kubernetesLibraries,
])

export function environment(options: EnvironmentOptions = {}): Environment {
  const extra = options.functions
  return {
    hasBindings: options.hasBindings ?? false,
    variables: new Map(Object.entries(options.variables ?? {})),
    functions: extra === undefined ? kubernetesFunctions : extend(kubernetesFunctions, extra.flat()),
    structType: (name) => options.structs?.(name),
    typeIdent(name) {
      const known = typeNames.get(name) ?? options.structs?.(name) ?? opaqueTypes.get(name)
      return known === undefined ? undefined : { kind: 'type', of: known }
    },
  }
}

const opaqueTypes = new Map<string, CelType>(
  ['net.IP', 'net.CIDR', 'kubernetes.URL', 'kubernetes.Quantity', 'kubernetes.Semver', 'kubernetes.NamedFormat'].map(
    (name) => [name, { kind: 'opaque', name, parameters: [] }],
  ),
)

function extend(table: FunctionTable, declarations: readonly FunctionDeclaration[]): FunctionTable {
  const extended = new Map(table)
  for (const declaration of declarations) {
    extended.set(declaration.name, [...(extended.get(declaration.name) ?? []), declaration])
  }
  return extended
}
