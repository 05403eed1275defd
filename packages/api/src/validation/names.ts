// Rules on names and other short texts. Each returns complaints in upstream's words; none means that the text is fine.

import type { NameRule } from '../kind-row.ts'

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const subdomain1123 = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValueShape = `(${qualified})?`
const wildcard = String.raw`\*\.${subdomain1123}`
const configKey = '[-._a-zA-Z0-9]+'
const percent = '[0-9]+%'
const headerName = '[-A-Za-z0-9]+'

interface Shape {
  readonly pattern: RegExp
  readonly max: number | undefined
  readonly complaint: string
}

function shape(source: string, max: number | undefined, words: string, examples: readonly string[]): Shape {
  return { pattern: new RegExp(`^(?:${source})$`), max, complaint: regexComplaint(words, source, examples) }
}

function regexComplaint(words: string, source: string, examples: readonly string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(' or ')
  return `${words} (e.g. ${shown}regex used for validation is '${source}')`
}

const shapes = {
  label1123: shape(
    label1123,
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    ['my-name', '123-abc'],
  ),
  label1035: shape(
    label1035,
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    ['my-name', 'abc-123'],
  ),
  subdomain: shape(
    subdomain1123,
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    ['example.com'],
  ),
  labelValue: shape(
    labelValueShape,
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ['MyValue', 'my_value', '12345'],
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

function check({ pattern, max, complaint }: Shape, text: string): readonly string[] {
  const tooLong = max !== undefined && text.length > max ? [tooLongComplaint(max)] : []
  return pattern.test(text) ? tooLong : [...tooLong, complaint]
}

export function tooLongComplaint(max: number): string {
  return `must be no more than ${max} bytes`
}

export function dnsLabel(text: string): readonly string[] {
  return check(shapes.label1123, text)
}

export function dnsLabel1035(text: string): readonly string[] {
  return check(shapes.label1035, text)
}

export function dnsSubdomain(text: string): readonly string[] {
  return check(shapes.subdomain, text)
}

export function wildcardDnsSubdomain(text: string): readonly string[] {
  return check(shapes.wildcard, text)
}

export function labelValue(text: string): readonly string[] {
  return check(shapes.labelValue, text)
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

const namePart = shape(
  qualified,
  63,
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyName', 'my.name', '123-abc'],
)

export function qualifiedName(text: string): readonly string[] {
  const parts = text.split('/')
  if (parts.length > 2) {
    const words =
      "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    const complaint = regexComplaint(words, qualified, ['MyName', 'my.name', '123-abc'])
    return [`${complaint} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const wrong: string[] = []
  const name = parts.at(-1)!
  if (parts.length === 2) {
    if (parts[0] === '') wrong.push('prefix part must be non-empty')
    else wrong.push(...dnsSubdomain(parts[0]!).map((complaint) => `prefix part ${complaint}`))
  }
  if (name === '') wrong.push('name part must be non-empty')
  else if (name.length > 63) wrong.push(`name part ${tooLongComplaint(63)}`)
  if (!namePart.pattern.test(name)) wrong.push(namePart.complaint)
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
