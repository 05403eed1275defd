// The messages whose JSON is not an object of their fields: times, quantities, raw JSON, numbers that may be names.

import { stringifyJson } from '@aksel/base/json'
import type { BackwardWriter } from './backward-writer.ts'

/** Writes the fields of a message, without its tag and length. Undefined: the zero value. */
export type Write = (out: BackwardWriter, value: unknown) => void

/** The writer of such a message, or undefined where its JSON is an object like any other. */
export function specialWriters(reference: string, message: (reference: string) => Write): Write | undefined {
  const fixed = writers[reference]
  if (fixed !== undefined) return fixed
  if (/\.(ExtraValue|Verbs)$/.test(reference)) return writeTexts(1)
  const schema = /^(apiextensions\/\w+)\.JSONSchemaPropsOr(Bool|Array|StringArray)$/.exec(reference)
  if (schema === null) return undefined
  const inner = message(`${schema[1]}.JSONSchemaProps`)
  return schemaWriters[schema[2] as keyof typeof schemaWriters](inner)
}

/** A zero time is an empty message. */
const writeTime: Write = (out, value) => {
  if (typeof value !== 'string' || value === '') return
  out.varint(0)
  out.tag(2, 0)
  out.varint(Math.floor(Date.parse(value) / 1000))
  out.tag(1, 0)
}

const writeMicroTime: Write = (out, value) => {
  if (typeof value !== 'string' || value === '') return
  const micros = /\.(\d{1,6})/.exec(value)?.[1] ?? ''
  out.varint(Number(micros.padEnd(6, '0')) * 1000)
  out.tag(2, 0)
  out.varint(Math.floor(Date.parse(value) / 1000))
  out.tag(1, 0)
}

const unitNanos: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }

/** `1m30s` in nanoseconds. */
const writeDuration: Write = (out, value) => {
  const text = typeof value === 'string' ? value : '0s'
  let nanos = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    nanos += Number(amount) * unitNanos[unit!]!
  out.varint(Math.round(text.startsWith('-') ? -nanos : nanos))
  out.tag(1, 0)
}

const writeRaw: Write = (out, value) => {
  if (value === undefined || value === null) return
  out.varint(out.text(stringifyJson(value)))
  out.tag(1, 2)
}

const writeAnyJson: Write = (out, value) => {
  if (value === undefined) return
  out.varint(out.text(stringifyJson(value)))
  out.tag(1, 2)
}

const writeQuantity: Write = (out, value) => {
  out.varint(out.text(String((value ?? '0') as string | number)))
  out.tag(1, 2)
}

/** All three parts are written: which it is, the number, the text. */
const writeIntOrString: Write = (out, value) => {
  const isText = typeof value === 'string'
  out.varint(out.text(isText ? value : ''))
  out.tag(3, 2)
  out.varint(isText ? 0 : ((value as number | undefined) ?? 0))
  out.tag(2, 0)
  out.varint(isText ? 1 : 0)
  out.tag(1, 0)
}

function writeTexts(number: number): Write {
  return (out, value) => {
    for (const text of ((value ?? []) as readonly string[]).toReversed()) {
      out.varint(out.text(text))
      out.tag(number, 2)
    }
  }
}

function writeMessage(out: BackwardWriter, number: number, inner: Write, value: unknown): void {
  const start = out.length
  inner(out, value)
  out.varint(out.length - start)
  out.tag(number, 2)
}

const schemaWriters = {
  Bool:
    (inner: Write): Write =>
    (out, value) => {
      if (typeof value === 'object' && value !== null) writeMessage(out, 2, inner, value)
      out.byte(value === false || value === undefined ? 0 : 1)
      out.tag(1, 0)
    },
  Array:
    (inner: Write): Write =>
    (out, value) => {
      if (Array.isArray(value)) for (const one of value.toReversed()) writeMessage(out, 2, inner, one)
      else if (value !== undefined && value !== null) writeMessage(out, 1, inner, value)
    },
  StringArray:
    (inner: Write): Write =>
    (out, value) => {
      if (Array.isArray(value)) writeTexts(2)(out, value)
      else if (value !== undefined && value !== null) writeMessage(out, 1, inner, value)
    },
} as const

const writers: Readonly<Record<string, Write>> = {
  'meta/v1.Time': writeTime,
  'meta/v1.MicroTime': writeMicroTime,
  'meta/v1.Duration': writeDuration,
  'meta/v1.FieldsV1': writeRaw,
  'apimachinery/runtime.RawExtension': writeRaw,
  'apimachinery/intstr.IntOrString': writeIntOrString,
  'apimachinery/resource.Quantity': writeQuantity,
  'apimachinery/resource.QuantityValue': writeQuantity,
  'apiextensions/v1.JSON': writeAnyJson,
}
