// `format.dns1123Label().validate(name)`: the formats that names and fields of Kubernetes have.

import { dnsLabel, dnsLabel1035, dnsSubdomain, labelValue, qualifiedName } from '@aksel/base/names'
import { declare, type FunctionDeclaration } from '../functions.ts'
import { matching, regexFactor, scaled, traversalFactor } from '../cost-ranges.ts'
import { parseTimestamp } from '../times.ts'
import { ArrayList, OpaqueValue, Optional, sizeOf } from '../values.ts'
import { parseUrl } from './urls.ts'

interface Format {
  readonly name: string
  readonly judge: (text: string) => readonly string[]
  /** How long its pattern is taken to be, where costs are counted. */
  readonly patternSize: number
}

export class FormatValue extends OpaqueValue {
  readonly typeName = 'kubernetes.NamedFormat'
  readonly format: Format

  constructor(format: Format) {
    super()
    this.format = format
  }

  equals(other: OpaqueValue): boolean {
    return other instanceof FormatValue && other.format.name === this.format.name
  }
}

function complainUnless(holds: (text: string) => boolean, complaint: string): (text: string) => readonly string[] {
  return (text) => (holds(text) ? [] : [complaint])
}

function isTime(text: string, isDate: boolean): boolean {
  try {
    parseTimestamp(text)
    return isDate ? text.length === 10 : text.length > 10
  } catch {
    return false
  }
}

/** A prefix may end in a dash, since something follows. */
function maskDash(text: string): string {
  return text.length > 1 && text.endsWith('-') ? `${text.slice(0, -2)}a` : text
}

const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/

const formats: Readonly<Record<string, Format>> = {
  dns1123Label: { name: 'DNS1123Label', judge: dnsLabel, patternSize: 30 },
  dns1123Subdomain: { name: 'DNS1123Subdomain', judge: dnsSubdomain, patternSize: 60 },
  dns1035Label: { name: 'DNS1035Label', judge: dnsLabel1035, patternSize: 30 },
  qualifiedName: { name: 'QualifiedName', judge: qualifiedName, patternSize: 60 },
  dns1123LabelPrefix: { name: 'DNS1123LabelPrefix', judge: (text) => dnsLabel(maskDash(text)), patternSize: 30 },
  dns1123SubdomainPrefix: {
    name: 'DNS1123SubdomainPrefix',
    judge: (text) => dnsSubdomain(maskDash(text)),
    patternSize: 60,
  },
  dns1035LabelPrefix: { name: 'DNS1035LabelPrefix', judge: (text) => dnsLabel1035(maskDash(text)), patternSize: 30 },
  labelValue: { name: 'LabelValue', judge: labelValue, patternSize: 40 },
  uri: {
    name: 'URI',
    judge: (text) => (parseUrl(text) === undefined ? [`parse ${JSON.stringify(text)}: invalid URI for request`] : []),
    patternSize: 1000,
  },
  uuid: {
    name: 'uuid',
    judge: complainUnless((text) => uuid.test(text), 'does not match the UUID format'),
    patternSize: 80,
  },
  byte: { name: 'byte', judge: complainUnless((text) => base64.test(text), 'invalid base64'), patternSize: 90 },
  date: { name: 'date', judge: complainUnless((text) => isTime(text, true), 'invalid date'), patternSize: 90 },
  datetime: {
    name: 'datetime',
    judge: complainUnless((text) => isTime(text, false), 'invalid datetime'),
    patternSize: 90,
  },
}

function named(name: string): FormatValue | undefined {
  return Object.hasOwn(formats, name) ? new FormatValue(formats[name]!) : undefined
}

function validate({ format }: FormatValue, text: string): Optional {
  const complaints = format.judge(text)
  return new Optional(complaints.length === 0 ? undefined : new ArrayList(complaints))
}

const type = 'kubernetes.NamedFormat'

export const namedFormatFunctions: readonly FunctionDeclaration[] = [
  ...Object.keys(formats).map((name) => declare(`format.${name}`, { [`() -> ${type}`]: () => named(name)! })),
  declare('format.named', { [`(string) -> optional<${type}>`]: (name: string) => new Optional(named(name)) }),
  declare(
    'validate',
    { [`${type}.(string) -> optional<list<string>>`]: validate },
    {
      cost: ([format, text]) => matching(sizeOf(text!), (format as FormatValue).format.patternSize),
      estimate: ({ args }) => scaled(scaled(args[0]!.size, traversalFactor), 128 * regexFactor),
    },
  ),
]
