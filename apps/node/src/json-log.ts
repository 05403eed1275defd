// Log lines as JSON on standard output, by pino; the machine's supervisor appends them to its log file.

import pino from 'pino'
import { logTo } from '@aksel/base/log'
import type { Log } from '@aksel/base/log'

export function jsonLog(level: string, name: string): Log {
  const logger = pino({
    level,
    base: { node: name },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  })
  return logTo(({ level: at, message, fields }) => logger[at](fields, message))
}
