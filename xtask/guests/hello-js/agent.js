// Logs one line and answers: the trivial agent of the benchmark.

export const manifest = {
  input: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
};

export function run(input) {
  console.info(`greeting ${input.name}`);
  return { greeting: `Hello, ${input.name}!` };
}
