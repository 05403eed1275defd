// The names below which Azure's other services would answer, in the one spelling that clients are told.

export const suffixes = {
  keyVault: 'vault.aksel.local',
  storage: 'storage.aksel.local',
  registry: 'registry.aksel.local',
} as const
