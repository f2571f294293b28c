// pg-boss on the PostgreSQL of PGHOST: consumers fetch jobs one by one and complete them. Prints the seconds that it took.
import PgBoss from 'pg-boss';

const [jobs, consumers] = process.argv.slice(2).map(Number);
const boss = new PgBoss({
  host: process.env.PGHOST,
  user: process.env.PGUSER,
  database: process.env.PGDATABASE,
  max: 28, // As many connections as the coordinator has.
  supervise: false,
  schedule: false,
});
boss.on('error', (error) => {
  throw error;
});
await boss.start();
await boss.createQueue('runs');

for (let sent = 0; sent < jobs; sent += 1000) {
  await boss.insert(Array.from({ length: Math.min(1000, jobs - sent) }, (_, i) => ({ name: 'runs', data: { run: sent + i } })));
}
const began = performance.now();

let completed = 0;
async function consume() {
  for (;;) {
    const [job] = await boss.fetch('runs');
    if (!job) {
      return;
    }
    await boss.complete('runs', job.id);
    completed++;
  }
}
await Promise.all(Array.from({ length: consumers }, consume));
const seconds = (performance.now() - began) / 1000;
await boss.stop({ graceful: false });
if (completed !== jobs) {
  throw new Error(`${completed} of ${jobs} jobs were completed`);
}
console.log(seconds);
