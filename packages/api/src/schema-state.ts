// Where a decode stands: the path for messages, and what was met that the message does not know.

/** Unknown and doubled fields of a body that upstream's strict reader names before it stops to look. */
export const complaintsMax = 100

/** Letters of the paths of unknown fields, after which no more are kept: at the bottom of a deep body each is as long as the way down. */
export const pathLettersMax = 256 * 1024

/** A value that does not fit its field; the message is Go's. */
export class DecodeFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DecodeFailure'
  }
}

/** Reads one value; undefined means absent. */
export type Reader = (value: unknown, state: DecodeState) => unknown

/** Steps that are map keys, not fields: shown in paths, left out of Go's error texts. */
export class MapKey {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

export class DecodeState {
  readonly path: (string | number | MapKey)[] = []
  readonly unknownFields: string[] = []
  #letters = 0
  /** Go name of the struct that is being read. */
  struct = ''

  /** The value at the current path does not fit. */
  mismatch(value: unknown, typeName: string): DecodeFailure {
    const fields = this.path.filter((step) => typeof step === 'string')
    const into =
      fields.length === 0
        ? `Go value of type ${typeName}`
        : `Go struct field ${this.struct}.${fields.join('.')} of type ${typeName}`
    return new DecodeFailure(`json: cannot unmarshal ${wordOf(value, typeName)} into ${into}`)
  }

  fieldMismatch(field: string, value: unknown, typeName: string): DecodeFailure {
    this.path.push(field)
    return this.mismatch(value, typeName)
  }

  /** No more of one object than an answer names of all. */
  reportUnknown(input: object, known: ReadonlySet<string>): void {
    const before = this.unknownFields.length
    for (const key of Object.keys(input)) {
      if (known.has(key)) continue
      if (this.unknownFields.length - before >= complaintsMax || this.#letters > pathLettersMax) return
      const path = joinPath([...this.path, key])
      this.#letters += path.length
      this.unknownFields.push(path)
    }
  }
}

function joinPath(path: readonly (string | number | MapKey)[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += `${text === '' ? '' : '.'}${typeof step === 'string' ? step : step.key}`
  }
  return text
}

function wordOf(value: unknown, typeName: string): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number' || typeof value === 'bigint') {
    return /^u?int|^float/.test(typeName) ? `number ${value}` : 'number'
  }
  return Array.isArray(value) ? 'array' : 'object'
}
