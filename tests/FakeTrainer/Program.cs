using System.Text.Json;
using Hearth;
using Hearth.Protocol;
using Hearth.Tests.FakeTrainer;

if (args[0] == "serve")
{
    return Serving.Run();
}

// Speaks the trainer's side of the protocol without training: steps take a few milliseconds, losses follow from the step.
var job = JsonSerializer.Deserialize<TrainerJob>(File.ReadAllBytes(args[2]), Json.Wire)!;
var lines = new Lines();
var asked = new Asked(lines, deaf: job.Spec.Name == "deaf");
long step = job.ResumePath is { } resume ? Checkpoints.StepOf(resume) : 0;

lines.Emit(new StartingEvent("building the model", 0.5));
Console.Error.WriteLine("a line of standard error");
if (job.PreparedPath is null && job.DatasetPath is not null)
{
    lines.Emit(Checkpoints.Prepare(job));
}

lines.Emit(new StartedEvent(step, job.Spec.Train.Steps, 1000, Checkpoints.Trace(step), job.Device, 1, 1));
while (step < job.Spec.Train.Steps && !asked.ToStop)
{
    Thread.Sleep(4);
    step++;
    lines.Emit(new StepEvent(step, 1.0 / step, 1e-3, 1, 1000, 0.004, step * 128, null, Checkpoints.Trace(step)));
    if (asked.ForSample() is { } prompt)
    {
        lines.Emit(new SampleEvent(step, prompt, "and so on"));
    }

    if (asked.ForCheckpoint() || (job.Spec.Checkpoint.EverySteps > 0 && step % job.Spec.Checkpoint.EverySteps == 0))
    {
        lines.Emit(Checkpoints.Write(job, step));
    }

    switch (job.Spec.Name)
    {
        case "crash" when step == 3:
            Console.Error.WriteLine("something is badly wrong");
            return 1;
        case "out-of-memory" when step == 3:
            lines.Emit(new FailedEvent(FailureCodes.OutOfMemory, "the device is full", step));
            return 20;
        case "full-disk" when step == 3:
            lines.Emit(new CheckpointFailedEvent(step, "No space left on device"));
            break;
    }
}

bool done = step >= job.Spec.Train.Steps;
lines.Emit(Checkpoints.Write(job, step));
lines.Emit(done ? new DoneEvent(step, Checkpoints.Trace(step), 1.0 / step, null) : new StoppedEvent(step, Checkpoints.Trace(step)));
return done ? 0 : 10;
