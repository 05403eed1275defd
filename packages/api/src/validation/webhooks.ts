// Where a webhook is: rules on URLs, service references and certificates that every kind with webhooks shares.

import { invalid, required, type FieldError } from '../field-errors.ts'
import { dnsSubdomain, portNumber } from './names.ts'

const form = '; desired format: https://host[/path]'

export function webhookUrlErrors(text: string, path: string): readonly FieldError[] {
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is.exec(text)
  if (match === null || /[\s\p{Cc}]/u.test(text))
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URL${form}`)]
  const [, scheme = '', authority = '', , query = '', fragment = ''] = match
  const at = authority.lastIndexOf('@')
  const [user, host] = at < 0 ? ['', authority] : [authority.slice(0, at), authority.slice(at + 1)]
  const errors: FieldError[] = []
  if (scheme.toLowerCase() !== 'https')
    errors.push(invalid(path, scheme, `'https' is the only allowed URL scheme${form}`))
  if (host === '') errors.push(invalid(path, host, `host must be specified${form}`))
  if (at >= 0) errors.push(invalid(path, user, 'user information is not permitted in the URL'))
  if (fragment !== '') errors.push(invalid(path, fragment, 'fragments are not permitted in the URL'))
  if (query !== '') errors.push(invalid(path, query, 'query parameters are not permitted in the URL'))
  return errors
}

export interface WebhookService {
  readonly name: string
  readonly namespace: string
  readonly path?: string
  readonly port?: number
}

export function webhookServiceErrors(service: WebhookService, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (service.name === '') errors.push(required(`${path}.name`, 'service name is required'))
  if (service.namespace === '') errors.push(required(`${path}.namespace`, 'service namespace is required'))
  const port = portNumber(service.port ?? 443)
  if (port.length > 0) errors.push(invalid(`${path}.port`, service.port, `port is not valid: ${port.join(', ')}`))
  return [...errors, ...pathErrors(service.path ?? '', `${path}.path`)]
}

function pathErrors(text: string, path: string): readonly FieldError[] {
  if (text === '' || text === '/') return []
  if (text === '//') return [invalid(path, text, 'segment[0] may not be empty')]
  const errors: FieldError[] = []
  if (!text.startsWith('/')) errors.push(invalid(path, text, "must start with a '/'"))
  const segments = text.slice(1).replace(/\/$/, '').split('/')
  for (const [index, segment] of segments.entries()) {
    if (segment === '') errors.push(invalid(path, text, `segment[${index}] may not be empty`))
    else for (const words of dnsSubdomain(segment)) errors.push(invalid(path, text, `segment[${index}]: ${words}`))
  }
  return errors
}

const certificate = /-----BEGIN CERTIFICATE-----\s+(?:[A-Za-z0-9+/=]+\s+)+-----END CERTIFICATE-----/

/** `bundle`: base64 of PEM, as it stands in objects. */
export function caBundleErrors(bundle: string, path: string): readonly FieldError[] {
  if (certificate.test(atob(bundle))) return []
  return [invalid(path, bundle, 'unable to load root certificates: unable to parse bytes as PEM block')]
}
