using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>When a looped model stops for a token.</summary>
public enum ExitRule
{
    /// <summary>At the first step whose halting probability reaches the threshold.</summary>
    Threshold,

    /// <summary>At the first step by which the halting mass so far reaches the threshold; a threshold of 1 or more never stops early.</summary>
    Cumulative,
}

/// <summary>How a looped model stops early while it decodes.</summary>
/// <param name="Threshold">0.5 is the published default.</param>
/// <param name="Rule">What is held against it.</param>
/// <param name="QueueRows">A deeper step runs on its own once more rows than this wait for it.</param>
/// <param name="LazyPrefill">Stop at the exit step of the prompt's last token too; without, a prompt runs at full depth.</param>
public sealed record ExitOptions(double Threshold = 0.5, ExitRule Rule = ExitRule.Threshold, int QueueRows = 256, bool LazyPrefill = false);

/// <summary>Decoding that stops at the exit step of each token.</summary>
public interface IExitSession : IDecodeSession
{
    /// <summary>Appends ids [B,T] to the text; logits [B,V] of the last row of each, read out at its exit step.</summary>
    Tensor Emit(Tensor ids_BT);

    /// <summary>The zero-based loop step that each row's logits of the last <see cref="Emit"/> came from.</summary>
    IReadOnlyList<int> LoopSteps { get; }

    /// <summary>Of the same rows: the chance to stop after each step that ran for them, but a last one, which is always the end.</summary>
    IReadOnlyList<IReadOnlyList<double>> Halting { get; }
}

/// <summary>A model whose decoding may stop early.</summary>
public interface IEarlyExit
{
    IExitSession StartDecode(ExitOptions exit);
}
