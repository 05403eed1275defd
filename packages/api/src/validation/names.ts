// Rules on names and other short texts. Each returns complaints in upstream's words; none means that the text is fine.

import { check, dnsLabel, dnsLabel1035, dnsSubdomain, shape, subdomain1123, tooLongComplaint } from '@aksel/base/names'
import type { NameRule } from '../kind-row.ts'

export { dnsLabel, dnsLabel1035, dnsSubdomain, labelValue, qualifiedName, tooLongComplaint } from '@aksel/base/names'

const wildcard = String.raw`\*\.${subdomain1123}`
const underscored = String.raw`[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*`
const configKey = '[-._a-zA-Z0-9]+'
const percent = '[0-9]+%'
const headerName = '[-A-Za-z0-9]+'

const shapes = {
  underscored: shape(
    underscored,
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ['example.com'],
  ),
  wildcard: shape(
    wildcard,
    253,
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    ['*.example.com'],
  ),
  configKey: shape(configKey, 253, "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", [
    'key.name',
    'KEY_NAME',
    'key-name',
  ]),
  percent: shape(percent, undefined, "a valid percent string must be a numeric string followed by an ending '%'", [
    '1%',
    '93%',
  ]),
  headerName: shape(headerName, undefined, "a valid HTTP header must consist of alphanumeric characters or '-'", [
    'X-Header-Name',
  ]),
} as const

/** A subdomain that may have underscores, as DNS names of services do. */
export function underscoredSubdomain(text: string): readonly string[] {
  return check(shapes.underscored, text)
}

export function wildcardDnsSubdomain(text: string): readonly string[] {
  return check(shapes.wildcard, text)
}

export function percentText(text: string): readonly string[] {
  return check(shapes.percent, text)
}

export function httpHeaderName(text: string): readonly string[] {
  return check(shapes.headerName, text)
}

export function configMapKey(text: string): readonly string[] {
  const wrong = [...check(shapes.configKey, text)]
  if (text === '.') wrong.push("must not be '.'")
  else if (text === '..') wrong.push("must not be '..'")
  else if (text.startsWith('..')) wrong.push("must not start with '..'")
  return wrong
}

/** Printable ASCII without `=`. */
export function envVarName(text: string): readonly string[] {
  if (text === '') return ['environment variable name must not be empty']
  return /^[ -<>-~]+$/.test(text)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
}

/** IANA service names: `http`, `web-8080`. */
export function portName(text: string): readonly string[] {
  const wrong: string[] = []
  if (text.length > 15) wrong.push(tooLongComplaint(15))
  if (!/^[-a-z0-9]+$/.test(text)) wrong.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(text)) wrong.push('must contain at least one letter (a-z)')
  if (text.includes('--')) wrong.push('must not contain consecutive hyphens')
  if (text.startsWith('-') || text.endsWith('-')) wrong.push('must not begin or end with a hyphen')
  return wrong
}

export function portNumber(port: number): readonly string[] {
  return port >= 1 && port <= 65535 ? [] : ['must be between 1 and 65535, inclusive']
}

/** User and group ids. */
export function unixId(id: number): readonly string[] {
  return id >= 0 && id <= 2147483647 ? [] : ['must be between 0 and 2147483647, inclusive']
}

export function pathSegment(text: string): readonly string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`]
  return ['/', '%'].filter((bad) => text.includes(bad)).map((bad) => `may not contain '${bad}'`)
}

/** A generateName may end in a dash, since something follows. */
function maskTrailingDash(name: string, prefix: boolean): string {
  return prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name
}

export const subdomainName: NameRule = (name, prefix) => dnsSubdomain(maskTrailingDash(name, prefix))
export const labelName: NameRule = (name, prefix) => dnsLabel(maskTrailingDash(name, prefix))
export const label1035Name: NameRule = (name, prefix) => dnsLabel1035(maskTrailingDash(name, prefix))
export const pathSegmentName: NameRule = (name) => pathSegment(name)
