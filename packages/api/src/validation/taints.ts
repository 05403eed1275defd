// Taints keep pods away, tolerations let them in: the rules on both.

import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { Taint, Toleration } from '../types/core-v1.ts'
import { labelValue, qualifiedName } from './names.ts'
import { complain } from './values.ts'

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export function validateTaint(taint: Taint, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...complain(`${path}.key`, taint.key, qualifiedName(taint.key))]
  errors.push(...joined(`${path}.value`, taint.value, labelValue(taint.value ?? '')))
  return [...errors, ...validateEffect(taint.effect, `${path}.effect`)]
}

function validateEffect(effect: string | undefined, path: string): readonly FieldError[] {
  if (effect === undefined || effect === '') return [required(path)]
  return effects.includes(effect) ? [] : [notSupported(path, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'])]
}

/** Several complaints as one error, as upstream joins them here. */
function joined(path: string, value: unknown, complaints: readonly string[]): readonly FieldError[] {
  return complaints.length === 0 ? [] : [invalid(path, value, complaints.join(';'))]
}

export function validateTolerations(tolerations: readonly Toleration[], path: string): readonly FieldError[] {
  return tolerations.flatMap((toleration, index) => validateToleration(toleration, `${path}[${index}]`))
}

function validateToleration(
  { key = '', operator = '', value = '', effect, tolerationSeconds }: Toleration,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  if (key !== '') errors.push(...complain(`${path}.key`, key, qualifiedName(key)))
  else if (operator !== 'Exists') {
    errors.push(
      invalid(
        `${path}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    )
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(invalid(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
  }
  if (operator === '' || operator === 'Equal') {
    errors.push(...joined(`${path}.operator`, value, labelValue(value)))
  } else if (operator === 'Exists') {
    if (value !== '') errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  }
  // Others are judged with the gates: released-pods.ts.
  if (effect !== undefined && effect !== '') errors.push(...validateEffect(effect, `${path}.effect`))
  return errors
}
