// GUIDs that follow from a name: the same text is the same id, over restarts and on every server.

import { createHash } from 'node:crypto'

export function stableGuid(text: string): string {
  const hex = createHash('sha256').update(text.toLowerCase()).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export const isGuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
