// From one spelling of a value to another: JSON, base64, addresses, and the two hashes that names are made of.

import { createHash } from 'node:crypto'
import { text, textual } from '../arguments.ts'
import { BadArgument } from '../errors.ts'
import { textOf, type Value } from '../values.ts'
import { fn, type TemplateFunction } from './function.ts'
import { uniqueString } from './unique-string.ts'

/** The namespace of `guid`, of which version 5 ids (RFC 9562) are made. */
const guidNamespace = Buffer.from('11fb06fb712d4ddd98c7e71bbd588830', 'hex')

function guid(args: readonly Value[]): string {
  const name = args.map((_, at) => textual(args, at)).join('-')
  const bytes = createHash('sha1').update(guidNamespace).update(name).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function readJson(written: string): Value {
  try {
    return JSON.parse(written) as Value
  } catch (error) {
    throw new BadArgument(`was given a text that is not JSON: ${(error as Error).message}`)
  }
}

const fromBase64 = (args: readonly Value[]): string => Buffer.from(text(args, 0), 'base64').toString()

const encodeComponent = (written: string): string =>
  encodeURIComponent(written).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

function fromDataUri(args: readonly Value[]): string {
  const match = /^data:([^,]*),(.*)$/s.exec(text(args, 0))
  if (match === null) throw new BadArgument('was given a text that is no data URI')
  return /;base64$/i.test(match[1]!) ? Buffer.from(match[2]!, 'base64').toString() : decodeURIComponent(match[2]!)
}

/** One slash between the two, or the second resolved where the first names a file. */
function uri(args: readonly Value[]): string {
  const [base, relative] = [text(args, 0), text(args, 1)]
  const withoutFile = base.endsWith('/') || /^https?:\/\/[^/]+$/i.test(base) ? base : base.replace(/\/[^/]*$/, '')
  return `${withoutFile.replace(/\/$/, '')}/${relative.replace(/^\//, '')}`
}

export const encodings: Readonly<Record<string, TemplateFunction>> = {
  base64: fn(1, 1, (args) => Buffer.from(text(args, 0)).toString('base64')),
  base64ToString: fn(1, 1, fromBase64),
  base64ToJson: fn(1, 1, (args) => readJson(fromBase64(args))),
  json: fn(1, 1, (args) => readJson(text(args, 0))),
  string: fn(1, 1, ([value]) => (typeof value === 'string' ? value : value === null ? '' : textOf(value!))),
  dataUri: fn(1, 1, (args) => `data:text/plain;charset=utf8;base64,${Buffer.from(text(args, 0)).toString('base64')}`),
  dataUriToString: fn(1, 1, fromDataUri),
  uri: fn(2, 2, uri),
  uriComponent: fn(1, 1, (args) => encodeComponent(text(args, 0))),
  uriComponentToString: fn(1, 1, (args) => decodeURIComponent(text(args, 0))),
  guid: fn(1, Infinity, guid),
  uniqueString: fn(1, Infinity, (args) => uniqueString(args.map((_, at) => textual(args, at)).join('-'))),
}
