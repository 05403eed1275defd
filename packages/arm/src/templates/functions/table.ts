// All functions that take values and give a value, by their names in lower case.

import { arrays } from './arrays.ts'
import { dates } from './dates.ts'
import { encodings } from './encodings.ts'
import type { TemplateFunction } from './function.ts'
import { logic } from './logic.ts'
import { networks } from './networks.ts'
import { numbers } from './numbers.ts'
import { objects } from './objects.ts'
import { scopes } from './scopes.ts'
import { texts } from './texts.ts'

export const functions: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    ...arrays,
    ...dates,
    ...encodings,
    ...logic,
    ...networks,
    ...numbers,
    ...objects,
    ...scopes,
    ...texts,
  }).map(([name, row]) => [name.toLowerCase(), row]),
)
