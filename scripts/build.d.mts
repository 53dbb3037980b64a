export function build(): boolean;
