// The formats that a string of a custom resource may be held to, each as upstream judges it. Others are ignored.

import type { JSONSchemaProps } from '../types/apiextensions-v1.ts'
import { dnsLabel, dnsSubdomain } from '../validation/names.ts'

type Judge = (text: string) => boolean

const uuid = (third: string, fourth: string): Judge => {
  const shape = new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}[0-9a-f]{3}-?${fourth}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i')
  return (text) => shape.test(text)
}

const byShape =
  (shape: RegExp): Judge =>
  (text) =>
    shape.test(text)

const byteRange = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4 = new RegExp(`^${byteRange}(\\.${byteRange}){3}$`)
const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u

/** By name without dashes, as upstream compares them. */
const judges: Readonly<Record<string, Judge>> = {
  bsonobjectid: byShape(/^[0-9a-f]{24}$/i),
  uri: isUri,
  email: isEmail,
  hostname: (text) => text.length <= 255 && text.split('.').every((part) => part.length <= 63) && hostname.test(text),
  ipv4: byShape(ipv4),
  ipv6: isIpv6,
  cidr: isCidr,
  mac: byShape(/^([0-9a-f]{2}([:-][0-9a-f]{2}){5}([:-][0-9a-f]{2}){0,2}|[0-9a-f]{4}(\.[0-9a-f]{4}){2,3})$/i),
  uuid: uuid('[0-9a-f]', '[0-9a-f]'),
  uuid3: uuid('3', '[0-9a-f]'),
  uuid4: uuid('4', '[89ab]'),
  uuid5: uuid('5', '[89ab]'),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: byShape(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: byShape(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
  rgbcolor: byShape(new RegExp(`^rgb\\(\\s*${byteRange}\\s*,\\s*${byteRange}\\s*,\\s*${byteRange}\\s*\\)$`)),
  byte: byShape(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => dnsLabel(text).length === 0,
  k8slongname: (text) => dnsSubdomain(text).length === 0,
}

/** Undefined where the format is none that is checked. */
export function formatJudge(format: string): Judge | undefined {
  const name = format.replaceAll('-', '')
  return Object.hasOwn(judges, name) ? judges[name] : undefined
}

/** The format that holds for a schema of this type; '' for one that upstream does not know there. */
export function effectiveFormat({ format = '', type = '', ...rest }: JSONSchemaProps): string {
  const kind = rest['x-kubernetes-int-or-string'] === true ? '' : type
  if (format === '') return ''
  switch (kind) {
    case '':
    case 'string':
      return formatJudge(format) === undefined ? '' : format
    case 'integer':
      return format === 'int32' || format === 'int64' ? format : ''
    case 'number':
      return format === 'float' || format === 'double' ? format : ''
    default:
      return ''
  }
}

function isUri(text: string): boolean {
  if (text.startsWith('/')) return !/[\s#]/.test(text)
  return URL.canParse(text) && !/\s/.test(text)
}

function isEmail(text: string): boolean {
  const address = /^[^<>]*<([^<>]+)>$/.exec(text.trim())?.[1] ?? text.trim()
  return /^(?:"[^"]+"|[^\s@<>(),:;[\]\\"]+)@[^\s@<>(),:;[\]\\"]+$/.test(address)
}

export function isIpv6(text: string): boolean {
  if (!text.includes(':')) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const isMixed = last.includes('.')
  const words = isMixed ? groups.slice(0, -1) : groups
  if (isMixed && !ipv4.test(last)) return false
  if (!words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return false
  const count = words.length + (isMixed ? 2 : 0)
  return halves.length === 2 ? count < 8 : count === 8
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  if (more.length > 0 || !/^\d{1,3}$/.test(bits) || (bits.length > 1 && bits.startsWith('0'))) return false
  return ipv4.test(address) ? Number(bits) <= 32 : isIpv6(address) && Number(bits) <= 128
}

function isIsbn10(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  let sum = 0
  for (const [at, digit] of digits.split('').entries()) sum += (digit === 'X' ? 10 : Number(digit)) * (10 - at)
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replaceAll(/[\s-]/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  let sum = 0
  for (const [at, digit] of digits.split('').entries()) sum += Number(digit) * (at % 2 === 0 ? 1 : 3)
  return sum % 10 === 0
}

const cardShape =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/

function isCreditCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '')
  if (!cardShape.test(digits)) return false
  let sum = 0
  for (const [at, digit] of digits.split('').reverse().entries()) {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2)
    sum += value > 9 ? value - 9 : value
  }
  return sum % 10 === 0
}

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (match === null) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  if (month < 1 || month > 12 || day < 1) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 && isLeap ? 29 : monthDays[month - 1]!)
}

function isDateTime(text: string): boolean {
  const [date = '', time = ''] = text.toLowerCase().split('t')
  const match = /^(\d\d):(\d\d):(\d\d)(.\d+)?(z|[+-]\d\d:\d\d)$/.exec(time)
  return isDate(date) && match !== null && match[1]! <= '23' && match[2]! <= '59' && match[3]! <= '59'
}

const goDuration = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
/** The last word of each row may be continued: `minutes`. */
const units: readonly (readonly string[])[] = [
  ['ns', 'nano'],
  ['us', 'µs', 'micro'],
  ['ms', 'milli'],
  ['s', 'sec'],
  ['m', 'min'],
  ['h', 'hr', 'hour'],
  ['d', 'day'],
  ['w', 'wk', 'week'],
]

/** As Go writes durations, or a number and a unit in words: `22 ns`, `3 days`. */
function isDuration(text: string): boolean {
  if (goDuration.test(text)) return true
  for (const match of text.matchAll(/(\d+)\s*([A-Za-zµ]+)/g)) {
    const unit = match[2]!.toLowerCase()
    if (units.some((words) => words.includes(unit) || unit.startsWith(words.at(-1)!))) return true
  }
  return false
}
