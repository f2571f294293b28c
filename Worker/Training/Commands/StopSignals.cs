using System.Runtime.InteropServices;

namespace Hearth.Training.Commands;

/// <summary>SIGTERM and SIGINT ask for a stop; the second one ends the process as it would without us.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];

    public StopSignals(TrainerControl control)
    {
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT])
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = !control.StopRequested;
                control.Stop(signal.ToString());
            }));
        }
    }

    public void Dispose() => _registrations.ForEach(r => r.Dispose());
}
