// The rules on spec.conversion: None, or a webhook that can be reached.

import { forbidden, invalid, required, type FieldError } from '../../field-errors.ts'
import type { CustomResourceConversion } from '../../types/apiextensions-v1.ts'
import { caBundleErrors, webhookServiceErrors, webhookUrlErrors } from '../../validation/webhooks.ts'
import { dnsLabel1035 } from '../../validation/names.ts'
import { requiredOneOf } from '../../validation/values.ts'

export interface ConversionOptions {
  readonly requireRecognizedVersion: boolean
  /** An established definition may not be given certificates that nobody can read. */
  readonly allowInvalidCaBundle: boolean
}

export function conversionErrors(
  conversion: CustomResourceConversion | undefined,
  path: string,
  options: ConversionOptions,
): readonly FieldError[] {
  if (conversion === undefined) return []
  const { strategy, webhook } = conversion
  const errors = [...requiredOneOf(strategy, ['None', 'Webhook'], `${path}.strategy`)]
  const versions = webhook?.conversionReviewVersions ?? []
  const [clientPath, versionsPath] = [`${path}.webhookClientConfig`, `${path}.conversionReviewVersions`]
  if (strategy !== 'Webhook') {
    const words = 'should not be set when strategy is not set to Webhook'
    if (webhook?.clientConfig !== undefined) errors.push(forbidden(clientPath, words))
    if (versions.length > 0) errors.push(forbidden(versionsPath, words))
    return errors
  }
  const { clientConfig } = webhook ?? {}
  if (clientConfig === undefined) errors.push(required(clientPath, 'required when strategy is set to Webhook'))
  else {
    const { url, service, caBundle = '' } = clientConfig
    if ((url === undefined) === (service === undefined))
      errors.push(required(clientPath, 'exactly one of url or service is required'))
    else if (url !== undefined) errors.push(...webhookUrlErrors(url, `${clientPath}.url`))
    else if (service !== undefined) errors.push(...webhookServiceErrors(service, `${clientPath}.service`))
    if (caBundle !== '' && !options.allowInvalidCaBundle)
      errors.push(...caBundleErrors(caBundle, `${clientPath}.caBundle`))
  }
  return [...errors, ...reviewVersionErrors(versions, versionsPath, options.requireRecognizedVersion)]
}

const recognized = ['v1', 'v1beta1']

export function isRecognized(versions: readonly string[]): boolean {
  return versions.length === 0 || versions.some((version) => recognized.includes(version))
}

function reviewVersionErrors(
  versions: readonly string[],
  path: string,
  requireRecognized: boolean,
): readonly FieldError[] {
  if (versions.length === 0) return [required(path)]
  const errors: FieldError[] = []
  for (const [index, version] of versions.entries()) {
    const at = `${path}[${index}]`
    if (versions.indexOf(version) !== index) errors.push(invalid(at, version, 'duplicate version'))
    else for (const words of dnsLabel1035(version)) errors.push(invalid(at, version, words))
  }
  if (requireRecognized && !isRecognized(versions))
    errors.push(invalid(path, versions, `must include at least one of ${recognized.join(', ')}`))
  return errors
}
