// Node selectors are runtime's: the loops ask them too.

export { matchesNode, matchesTerm, meets } from '@aksel/runtime/node-selectors'
