// PriorityLevelConfiguration: the share of the server's attention that one level of requests gets, and what waits.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { Cell, KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type {
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../types/flowcontrol-v1.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { mandatoryPriorityLevels } from './flow-control-names.ts'
import { validateConditions } from './flow-schema.ts'

const queuesMax = 10_000_000
/** Bits of the hash that deals hands of queues (upstream's shufflesharding.MaxHashBits). */
const hashBitsMax = 60

function setDefaults({ spec }: Draft<PriorityLevelConfiguration>): void {
  if (spec.exempt !== undefined) {
    spec.exempt.nominalConcurrencyShares ??= 0
    spec.exempt.lendablePercent ??= 0
  } else if (spec.type === 'Exempt') spec.exempt = { nominalConcurrencyShares: 0, lendablePercent: 0 }
  if (spec.limited === undefined) return
  spec.limited.nominalConcurrencyShares ??= 30
  spec.limited.lendablePercent ??= 0
  const queuing = spec.limited.limitResponse?.queuing
  if (queuing === undefined) return
  if (queuing.handSize === 0) queuing.handSize = 8
  if (queuing.queues === 0) queuing.queues = 64
  if (queuing.queueLengthLimit === 0) queuing.queueLengthLimit = 50
}

function validate({ metadata, spec, status }: PriorityLevelConfiguration): readonly FieldError[] {
  return [
    ...validateSpec(metadata.name, spec),
    ...validateFixed(metadata.name, spec),
    ...validateConditions(status?.conditions),
  ]
}

function validateFixed(name: string, spec: PriorityLevelConfigurationSpec): readonly FieldError[] {
  const fixed = mandatoryPriorityLevels[name]
  if (fixed === undefined) return []
  if (name !== 'exempt')
    return deepEqual(spec, fixed) ? [] : [invalid('spec', spec, `spec of '${name}' must equal the fixed value`)]
  const { exempt: _mayChange, ...rest } = spec
  const { exempt: _any, ...wanted } = fixed
  return deepEqual(rest, wanted)
    ? []
    : [invalid('spec', spec, `spec of '${name}' except the 'spec.exempt' field must equal the fixed value`)]
}

function validateSpec(name: string, spec: PriorityLevelConfigurationSpec): readonly FieldError[] {
  const { type, limited, exempt } = spec
  const errors: FieldError[] = []
  if ((name === 'exempt') !== (type === 'Exempt'))
    errors.push(invalid('spec.type', type, "type must be 'Exempt' if and only if `name` is 'exempt'"))
  switch (type) {
    case 'Exempt':
      if (limited !== undefined) errors.push(forbidden('spec.limited', 'must be nil if the type is not Limited'))
      if (exempt === undefined) errors.push(required('spec.exempt', 'must not be empty'))
      else errors.push(...validateShares(exempt, 'spec.exempt'))
      return errors
    case 'Limited':
      if (exempt !== undefined) errors.push(forbidden('spec.exempt', 'must be nil if the type is Limited'))
      if (limited === undefined) errors.push(required('spec.limited', 'must not be empty when type is Limited'))
      else errors.push(...validateLimited(limited))
      return errors
    default:
      return [...errors, notSupported('spec.type', type, ['Exempt', 'Limited'])]
  }
}

function validateShares(
  shares: { readonly nominalConcurrencyShares?: number; readonly lendablePercent?: number },
  path: string,
): readonly FieldError[] {
  const { nominalConcurrencyShares: nominal = 0, lendablePercent: percent = 0 } = shares
  const errors: FieldError[] = []
  if (nominal < 0) errors.push(invalid(`${path}.nominalConcurrencyShares`, nominal, 'must be a non-negative integer'))
  if (percent < 0 || percent > 100)
    errors.push(invalid(`${path}.lendablePercent`, percent, 'must be between 0 and 100, inclusive'))
  return errors
}

function validateLimited(limited: LimitedPriorityLevelConfiguration): readonly FieldError[] {
  const errors: FieldError[] = [...validateShares(limited, 'spec.limited')]
  errors.push(...validateResponse(limited.limitResponse, 'spec.limited.limitResponse'))
  const borrowing = limited.borrowingLimitPercent
  if (borrowing !== undefined && borrowing < 0) {
    const at = 'spec.limited.borrowingLimitPercent'
    errors.push(invalid(at, borrowing, 'if specified, must be a non-negative integer'))
  }
  return errors
}

function validateResponse(response: LimitResponse | undefined, path: string): readonly FieldError[] {
  const { type = '', queuing } = response ?? {}
  if (type === 'Reject')
    return queuing === undefined
      ? []
      : [forbidden(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited')]
  if (type !== 'Queue') return [notSupported(`${path}.type`, type, ['Queue', 'Reject'])]
  if (queuing === undefined)
    return [required(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')]
  return validateQueuing(queuing, `${path}.queuing`)
}

function validateQueuing(queuing: QueuingConfiguration, path: string): readonly FieldError[] {
  const { queues, handSize, queueLengthLimit } = queuing
  const errors: FieldError[] = []
  if (queueLengthLimit <= 0) errors.push(invalid(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive'))
  if (queues <= 0) errors.push(invalid(`${path}.queues`, queues, 'must be positive'))
  else if (queues > queuesMax) errors.push(invalid(`${path}.queues`, queues, `must not be greater than ${queuesMax}`))
  const at = `${path}.handSize`
  const bits = Math.ceil(Math.log2(queues) * handSize)
  if (handSize <= 0) errors.push(invalid(at, handSize, 'must be positive'))
  else if (handSize > queues) errors.push(invalid(at, handSize, `should not be greater than queues (${queues})`))
  else if (bits > hashBitsMax) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${hashBitsMax}`
    errors.push(invalid(at, handSize, why))
  }
  return errors
}

function queueCells({ limited }: PriorityLevelConfigurationSpec): readonly Cell[] {
  const queuing = limited?.limitResponse?.queuing
  const cells = [limited?.nominalConcurrencyShares, queuing?.queues, queuing?.handSize, queuing?.queueLengthLimit]
  return cells.map((cell) => cell ?? '<none>')
}

export const priorityLevelConfigurationRules: KindRules<PriorityLevelConfiguration> = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'PriorityLevelConfiguration',
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  validateUpdate: validate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<PriorityLevelConfiguration>['spec']
      },
      validateUpdate: ({ status }) => validateConditions(status?.conditions),
    },
  },
  columns: [
    nameColumn,
    column('Type', 'Whether its requests are limited.'),
    column('NominalConcurrencyShares', 'Its share of the requests that run at once.'),
    column('Queues', 'How many queues it has.'),
    column('HandSize', 'How many queues a flow may use.'),
    column('QueueLengthLimit', 'How many requests may wait in one queue.'),
    ageColumn,
  ],
  cells: ({ metadata, spec }, nowMs) => [
    metadata.name,
    spec.type,
    ...queueCells(spec),
    ageOf(metadata.creationTimestamp, nowMs),
  ],
}
