// The function libraries that a Kubernetes API server of 1.34 to 1.36 adds to CEL.

import { stringFunctions } from './strings.ts'
import { formatFunctions } from './string-format.ts'
import { listFunctions } from './lists.ts'
import { setFunctions } from './sets.ts'
import { regexFunctions } from './regex.ts'
import { urlFunctions } from './urls.ts'
import { quantityFunctions } from './quantity.ts'
import { addressFunctions } from './addresses.ts'
import { namedFormatFunctions } from './named-formats.ts'
import { semverFunctions } from './semver.ts'
import { authorizerFunctions } from './authorizer.ts'
import type { FunctionDeclaration } from '../functions.ts'

export const kubernetesLibraries: readonly (readonly FunctionDeclaration[])[] = [
  stringFunctions,
  formatFunctions,
  listFunctions,
  setFunctions,
  regexFunctions,
  urlFunctions,
  quantityFunctions,
  addressFunctions,
  namedFormatFunctions,
  semverFunctions,
  authorizerFunctions,
]
