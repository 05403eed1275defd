// The shapes that names of objects, labels and fields may have. Each rule returns complaints in upstream's words; none
// means that the text is fine.

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
export const subdomain1123 = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValueShape = `(${qualified})?`

export interface Shape {
  readonly pattern: RegExp
  readonly max: number | undefined
  readonly complaint: string
}

export function shape(source: string, max: number | undefined, words: string, examples: readonly string[]): Shape {
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
} as const

export function check({ pattern, max, complaint }: Shape, given: string | undefined): readonly string[] {
  // What is missing is told elsewhere; here it is a name like any other that is none.
  const text = given ?? ''
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

export function labelValue(text: string): readonly string[] {
  return check(shapes.labelValue, text)
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
