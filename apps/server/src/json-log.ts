// Log lines as JSON on standard output, by pino; the command line appends them to the server's log file.

import pino from 'pino'
import { logTo, type Log } from '@aksel/base/log'

export function jsonLog(level: string): Log {
  const logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  })
  return logTo(({ level: at, message, fields }) => logger[at](fields, message))
}
