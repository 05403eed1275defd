// Shuffle sharding: which few queues of a level a flow may use. Two flows rarely have all of theirs in common, so that one that
// fills its own leaves most of the others' alone.

import { createHash } from 'node:crypto'

/** Of a flow: its schema's name and what tells flows of that schema apart. */
export function flowHash(schema: string, distinguisher: string): bigint {
  return createHash('sha256').update(`${schema}\0${distinguisher}`).digest().readBigUInt64LE(0)
}

/** A hand of different cards, 0 to `deckSize` - 1, dealt by the hash: equally likely whatever the hand. */
export function deal(
  hash: bigint,
  { deckSize, handSize }: { readonly deckSize: number; readonly handSize: number },
): readonly number[] {
  let left = hash
  // Each remainder chooses among the cards that are still in the deck.
  const choices = Array.from({ length: handSize }, (_, at) => {
    const cards = BigInt(deckSize - at)
    const choice = Number(left % cards)
    left /= cards
    return choice
  })
  return choices.map((choice, at) =>
    choices.slice(0, at).reduceRight((card, earlier) => (card >= earlier ? card + 1 : card), choice),
  )
}
