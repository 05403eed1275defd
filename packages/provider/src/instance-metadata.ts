// Where machines ask what they are, the same on every one of them.

export const METADATA_ADDRESS = '169.254.169.254'
export const METADATA_PORT = 80
