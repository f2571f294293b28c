using static TorchSharp.torch;

// B batch, T time, R rings, F = 4 observed numbers, O = 4 outputs.
namespace Hearth.Models.Positronic;

/// <summary>
/// One controller per ring, shared by all layers. A fast weight predicts the ring's next observation and learns from its own
/// error by a normalised delta rule (Widrow &amp; Hoff 1960) while the text is read; only the decoder is trained.
/// </summary>
internal sealed class RingControllers(int rings, Weights w)
{
    /// <summary>Coupling, frustration, centre and injection of a ring.</summary>
    internal const int Outputs = 4;

    /// <summary>An observation and its prediction error.</summary>
    internal const int Inputs = 2 * Observed;

    private const int Observed = 4;
    private const double Rate = 0.5;
    private readonly Tensor[] _decode = [.. Enumerable.Range(0, rings).Select(r => w.Vector($"{r}.decode", Init.Zeros, Outputs, Inputs))];

    /// <summary>A trace through the layers of one forward pass: per token, nothing crosses from one to another.</summary>
    internal Trace Begin() => new(stack(_decode));

    internal sealed class Trace(Tensor decode_ROI)
    {
        internal Tensor Decode_ROI => decode_ROI;

        /// <summary>The last observation [B,T,R,4]; null before the first.</summary>
        internal Tensor? Last { get; private set; }

        /// <summary>The fast weights [B,T,R,4,4]; null before the first observation.</summary>
        internal Tensor? Fast { get; private set; }

        /// <summary>Nothing, the last observation, or that and the fast weights: what the next layer goes on from.</summary>
        internal Tensor[] State
        {
            get => Last is null ? [] : Fast is null ? [Last] : [Last, Fast];
            init => GoOn(value);
        }

        internal void GoOn(Tensor[] state) => (Last, Fast) = (state.ElementAtOrDefault(0), state.ElementAtOrDefault(1));

        /// <summary>Goes on from what a kernel observed; empty fast weights are none yet.</summary>
        internal void GoOn(Tensor last_BTRF, Tensor fast_BTRFF) => (Last, Fast) = (last_BTRF, fast_BTRFF.numel() == 0 ? null : fast_BTRFF);

        /// <summary>Observes every ring, learns, and gives tanh m [B,T,R,4].</summary>
        internal Tensor Observe(Tensor re_BTR, Tensor im_BTR, Tensor frequency_BTR)
        {
            var seen_BTRI = Learn(re_BTR.detach(), im_BTR.detach(), frequency_BTR.detach());

            // One product per ring: [R, B·T, 8] times [R, 8, 4].
            long batch = seen_BTRI.size(0), time = seen_BTRI.size(1), rings = seen_BTRI.size(2);
            var rows = seen_BTRI.reshape(batch * time, rings, Inputs).transpose(0, 1);
            return rows.bmm(decode_ROI.transpose(1, 2)).transpose(0, 1).reshape(batch, time, rings, Outputs).tanh();
        }

        private Tensor Learn(Tensor re_BTR, Tensor im_BTR, Tensor frequency_BTR)
        {
            using var quiet = no_grad();
            var length = (re_BTR.pow(2) + im_BTR.pow(2)).sqrt().clamp(min: 1e-6);
            var now_BTRF = stack([length, re_BTR / length, im_BTR / length, frequency_BTR], -1);
            var error_BTRF = zeros(now_BTRF.shape, now_BTRF.dtype, now_BTRF.device);
            if (Last is { } last)
            {
                error_BTRF = Fast is null ? now_BTRF : now_BTRF - (Fast * last.unsqueeze(-2)).sum(-1);
                var step = error_BTRF.unsqueeze(-1) * (last / (last.pow(2).sum(-1, true) + 1e-3)).unsqueeze(-2) * Rate;
                Fast = Fast is null ? step : Fast + step;
            }

            Last = now_BTRF;
            return cat([now_BTRF, error_BTRF], -1);
        }
    }
}
