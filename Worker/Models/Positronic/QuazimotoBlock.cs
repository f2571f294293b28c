using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, N oscillators of all rings, R rings.
namespace Hearth.Models.Positronic;

/// <summary>
/// The channel mixer: a token's state sets phases and frequencies of coupled oscillators in rings, a few Euler steps move them
/// under each other, a rotating centre and what context injects, and a network reads their cosines and sines.
/// </summary>
internal sealed class QuazimotoBlock(PositronicConfig config, Weights w)
{
    private readonly OscillatorWeights _w = new(config, w.Under("osc"));
    private readonly RingSlot[] _slots = [.. Enumerable.Range(0, config.NRing - 1).Select(s => new RingSlot(config, s, w.Under($"slot{s}")))];
    private readonly RingSpecialists _specialists = new(config, w);

    /// <summary>x [B,T,D], normed, to [B,T,D]; entries of every output are within ±10.</summary>
    internal Tensor Forward(Tensor x_BTD, Pass pass, int layer)
    {
        var theta_BTN = Wide(Functions.Linear(x_BTD, _w.Theta, pass.Compute), pass);
        if (pass.Seeds_BTN is { } seeds)
        {
            theta_BTN = theta_BTN + Gates.NoOp(seeds, _w.FractalGate);
        }

        var omega_BTN = Wide(Functions.Linear(x_BTD, _w.Omega, pass.Compute), pass).tanh();
        theta_BTN = Integrate(theta_BTN, omega_BTN, Injection(x_BTD, theta_BTN, pass, layer), pass.Controllers, pass.Rings);
        var hidden = Functions.Linear(cat([theta_BTN.cos(), theta_BTN.sin()], -1), _w.Read1, pass.Compute).gelu();
        return Gates.SoftClamp(_w.Gate.tanh() * Wide(Functions.Linear(hidden, _w.Read2, pass.Compute), pass));
    }

    /// <summary>Explicit Euler: everything on the right of a step is from before it. The kernel where there is one.</summary>
    internal Tensor Integrate(Tensor theta_BTN, Tensor omega_BTN, Tensor? injection_BTN, RingControllers.Trace? controllers, RingLayout rings)
    {
        var moved = FusedKernels.Kuramoto(new Oscillators(theta_BTN, omega_BTN, injection_BTN)
        {
            K_RR = _w.K_RR,
            Alpha_R = _w.Alpha_R,
            CenterPhase = _w.CenterPhase,
            CenterOmega = _w.CenterOmega,
            CenterGain_R = _w.CenterGain_R,
            Decode_ROI = controllers?.Decode_ROI,
            Last_BTRF = controllers?.Last,
            Fast_BTRFF = controllers?.Fast,
            Means_NR = rings.Means_NR,
            Spread_RN = rings.Spread_RN,
            Steps = config.OscSteps,
            Dt = config.OscDt,
        });
        if (moved is null)
        {
            return NaiveIntegrate(theta_BTN, omega_BTN, injection_BTN, controllers, rings);
        }

        controllers?.GoOn(moved[1], moved[2]);
        return moved[0];
    }

    /// <summary>The same in plain operators, which autograd remembers one by one.</summary>
    internal Tensor NaiveIntegrate(Tensor theta_BTN, Tensor omega_BTN, Tensor? injection_BTN, RingControllers.Trace? controllers, RingLayout rings)
    {
        var frequency_BTR = controllers is null ? null : omega_BTN.detach().matmul(rings.Means_NR);
        for (int s = 0; s < config.OscSteps; s++)
        {
            var (cos_BTN, sin_BTN) = (theta_BTN.cos(), theta_BTN.sin());
            var (re_BTR, im_BTR) = (cos_BTN.matmul(rings.Means_NR), sin_BTN.matmul(rings.Means_NR));
            var tuned_BTRO = controllers?.Observe(re_BTR, im_BTR, frequency_BTR!);
            var pull_BTN = Kuramoto.Fast(cos_BTN, sin_BTN, re_BTR, im_BTR, CouplingAt(s, tuned_BTRO), rings);
            var speed_BTN = omega_BTN + pull_BTN;
            if (injection_BTN is not null)
            {
                speed_BTN = speed_BTN + (tuned_BTRO is null ? injection_BTN : injection_BTN * (tuned_BTRO.select(-1, 3) + 1).matmul(rings.Spread_RN));
            }

            theta_BTN = theta_BTN + (speed_BTN * config.OscDt);
        }

        return theta_BTN;
    }

    /// <summary>The layer's coupling at Euler step <paramref name="step"/>, tuned by tanh m [..,R,4] where given.</summary>
    internal Coupling CouplingAt(int step, Tensor? tuned_BTRO)
    {
        var centre = _w.CenterPhase + (_w.CenterOmega * (step * config.OscDt));
        return tuned_BTRO is null
            ? new Coupling(_w.K_RR, null, _w.Alpha_R, _w.CenterGain_R, centre)
            : new Coupling(
                _w.K_RR,
                tuned_BTRO.select(-1, 0) + 1,
                (tuned_BTRO.select(-1, 1) * (Math.PI / 4)) + _w.Alpha_R,
                (tuned_BTRO.select(-1, 2) + 1) * _w.CenterGain_R,
                centre);
    }

    // What slots and specialists drive the rings with: constant over the steps. Every slot reads the phases before them.
    private Tensor? Injection(Tensor x_BTD, Tensor theta_BTN, Pass pass, int layer)
    {
        var drive = new Tensor?[config.NRing];
        if (config.UseRings)
        {
            Slots(x_BTD, theta_BTN, pass, drive);
        }

        if (config.UseRingSpecialists)
        {
            var (currents, memory, rows) = _specialists.Forward(x_BTD, pass.Memories[layer], pass.Offset, pass.Writing, (pass.Wide, pass.Compute));
            pass.Memories[layer] = memory;
            pass.Written[layer] = rows;
            for (int r = 0; r < drive.Length; r++)
            {
                drive[r] = Plus(drive[r], currents[r]);
            }
        }

        return drive[0] is null ? null : cat([.. drive.Select((d, r) => d ?? zeros([x_BTD.size(0), x_BTD.size(1), pass.Rings.Sizes[r]], pass.Wide, x_BTD.device))], -1);
    }

    private void Slots(Tensor x_BTD, Tensor theta_BTN, Pass pass, Tensor?[] drive)
    {
        var (cos_BTN, sin_BTN) = (theta_BTN.cos(), theta_BTN.sin());
        for (int s = 0; s < _slots.Length; s++)
        {
            int inner = pass.Rings.Sizes[s], outer = pass.Rings.Sizes[s + 1];
            Tensor current;
            if (_slots[s].Phases is { } attention)
            {
                Tensor[] phases =
                [
                    cos_BTN.narrow(-1, pass.Rings.Starts[s], inner), sin_BTN.narrow(-1, pass.Rings.Starts[s], inner),
                    cos_BTN.narrow(-1, pass.Rings.Starts[s + 1], outer), sin_BTN.narrow(-1, pass.Rings.Starts[s + 1], outer),
                ];
                current = attention.Forward(cat(phases, -1), pass);
            }
            else
            {
                current = _slots[s].Engram!.Forward(x_BTD, pass.EngramRows_BTK!, pass.Wide, pass.Compute);
            }

            drive[s] = Plus(drive[s], current.narrow(-1, 0, inner));
            drive[s + 1] = Plus(drive[s + 1], current.narrow(-1, inner, outer));
        }
    }

    private static Tensor Plus(Tensor? sum, Tensor part) => sum is null ? part : sum + part;

    private static Tensor Wide(Tensor x, Pass pass) => x.to(pass.Wide);

    private sealed class OscillatorWeights(PositronicConfig config, Weights w)
    {
        internal Tensor Theta { get; } = w.Matrix("theta", config.Oscillators, config.DModel, Init.Normal(0.05));

        internal Tensor Omega { get; } = w.Matrix("omega", config.Oscillators, config.DModel, PositronicInit.Small);

        internal Tensor K_RR { get; } = w.Vector("K", Init.Given(Kuramoto.StartingGain(config.NRing)), config.NRing, config.NRing);

        internal Tensor Alpha_R { get; } = w.Vector("alpha", Init.Zeros, config.NRing);

        internal Tensor CenterPhase { get; } = w.Vector("center_phase", Init.Zeros, 1);

        internal Tensor CenterOmega { get; } = w.Vector("center_omega", Init.Constant(0.5), 1);

        internal Tensor CenterGain_R { get; } = w.Vector("center_gain", Init.Constant(0.1), config.NRing);

        internal Tensor Read1 { get; } = w.Matrix("read1", config.ReadMult * 2 * config.Oscillators, 2 * config.Oscillators, PositronicInit.Small);

        internal Tensor Read2 { get; } = w.Matrix("read2", config.DModel, config.ReadMult * 2 * config.Oscillators, Init.Normal(0.02 / Math.Sqrt(2.0 * config.NLayer)));

        internal Tensor Gate { get; } = w.Vector("gate", PositronicInit.OpenGate, 1);

        internal Tensor FractalGate { get; } = w.Gate("fractal_gate");
    }
}

/// <summary>What couples two neighbouring rings through context: attention between phases in even places, an engram in odd ones.</summary>
internal sealed class RingSlot(PositronicConfig config, int place, Weights w)
{
    internal PhaseAttention? Phases { get; } = place % 2 == 0 ? new PhaseAttention(config, place, w) : null;

    internal Engram? Engram { get; } = place % 2 == 1 ? new Engram(config, place, w) : null;
}
