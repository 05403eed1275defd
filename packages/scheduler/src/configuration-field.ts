// One field of a configuration that people write: its path, for messages, and its value as one of the kinds it may be.

export class ConfigurationError extends Error {
  constructor(path: string, what: string) {
    super(`${path}: ${what}`)
    this.name = 'ConfigurationError'
  }
}

export class Field {
  readonly path: string
  readonly value: unknown

  constructor(path: string, value: unknown) {
    this.path = path
    this.value = value
    if (value !== undefined && value !== null && path === '' && typeof value !== 'object')
      throw new ConfigurationError('the configuration', 'must be an object')
  }

  keys(): readonly string[] {
    return Object.keys(this.#object())
  }

  field(name: string): Field {
    return new Field(this.#pathOf(name), this.#object()[name] ?? undefined)
  }

  /** Empty when absent. */
  list(name: string): readonly Field[] {
    const { path, value } = this.field(name)
    if (value === undefined) return []
    if (!Array.isArray(value)) throw new ConfigurationError(path, 'must be a list')
    return value.map((each: unknown, index) => new Field(`${path}[${index}]`, each))
  }

  texts(name: string): readonly string[] {
    return this.list(name).map(({ path, value }) => {
      if (typeof value !== 'string') throw new ConfigurationError(path, 'must be text')
      return value
    })
  }

  /** Empty when absent. */
  text(name: string): string {
    const { path, value = '' } = this.field(name)
    if (typeof value !== 'string') throw new ConfigurationError(path, 'must be text')
    return value
  }

  flag(name: string): boolean {
    const { path, value = false } = this.field(name)
    if (typeof value !== 'boolean') throw new ConfigurationError(path, 'must be true or false')
    return value
  }

  /** A whole number. */
  number(name: string, bounds: { readonly from: number; readonly to?: number; readonly fallback: number }): number {
    const { path, value = bounds.fallback } = this.field(name)
    const { from, to = Number.MAX_SAFE_INTEGER } = bounds
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value
    const range = bounds.to === undefined ? `from ${from}` : `from ${from} to ${to}`
    throw new ConfigurationError(path, `must be a whole number ${range}, not ${JSON.stringify(value)}`)
  }

  #object(): Readonly<Record<string, unknown>> {
    if (this.value === undefined || this.value === null) return {}
    if (typeof this.value !== 'object' || Array.isArray(this.value))
      throw new ConfigurationError(this.path, 'must be an object')
    return this.value as Readonly<Record<string, unknown>>
  }

  #pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }
}
