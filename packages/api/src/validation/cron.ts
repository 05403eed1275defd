// Is a text a cron schedule: five fields, a macro, or `@every` and a duration.

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly words: readonly string[]
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const fields: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of month', min: 1, max: 31, words: [] },
  { name: 'month', min: 1, max: 12, words: months },
  { name: 'day of week', min: 0, max: 6, words: days },
]
const macros = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']
const duration = /^([+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+$/

/** What is wrong with the schedule; undefined when nothing is. */
export function cronComplaint(schedule: string): string | undefined {
  if (schedule.startsWith('@')) {
    if (macros.includes(schedule)) return undefined
    if (!schedule.startsWith('@every ')) return `unrecognized descriptor: ${schedule}`
    return duration.test(schedule.slice('@every '.length))
      ? undefined
      : `failed to parse duration ${schedule}: time: invalid duration ${JSON.stringify(schedule.slice(7))}`
  }
  const parts = schedule.split(/\s+/).filter((part) => part !== '')
  if (parts.length !== fields.length) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`
  for (const [index, part] of parts.entries()) {
    const wrong = fieldComplaint(part, fields[index]!)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function fieldComplaint(part: string, field: Field): string | undefined {
  for (const expression of part.split(',')) {
    const [range = '', step, ...rest] = expression.split('/')
    if (rest.length > 0) return `too many slashes: ${expression}`
    if (step !== undefined && !/^[1-9]\d*$/.test(step))
      return `step of range should be a positive number: ${expression}`
    if (range === '*' || range === '?') continue
    const ends = range.split('-')
    if (ends.length > 2) return `too many hyphens: ${expression}`
    const numbers: number[] = []
    for (const end of ends) {
      const word = field.words.indexOf(end.toLowerCase())
      if (word < 0 && !/^\d+$/.test(end))
        return `failed to parse int from ${end}: strconv.Atoi: parsing ${JSON.stringify(end)}: invalid syntax`
      numbers.push(word < 0 ? Number(end) : word + field.min)
    }
    const [start = 0, end = start] = numbers
    if (start < field.min) return `beginning of range (${start}) below minimum (${field.min}): ${expression}`
    if (end > field.max) return `end of range (${end}) above maximum (${field.max}): ${expression}`
    if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`
  }
  return undefined
}
