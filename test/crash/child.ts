// What a popfetch that may be killed is given of the environment.

/** `home`: its HOME. POPFETCH_ROAD goes along, to have all of the suite on one road. */
export function environmentOf(home: string): NodeJS.ProcessEnv {
  const { PATH, POPFETCH_ROAD } = process.env
  return { PATH, HOME: home, POPFETCH_ROAD }
}
