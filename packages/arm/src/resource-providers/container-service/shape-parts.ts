// Short words for writing shapes.

import type { Shape } from './shape.ts'

export const fields = (known: Readonly<Record<string, Shape>>): Shape => ({ fields: known })
export const list = (item: Shape): Shape => ({ list: item })
export const map = (item: Shape): Shape => ({ map: item })
