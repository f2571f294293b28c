using System.Diagnostics.CodeAnalysis;
using Hearth.Models;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Parameters in fp64 and nothing that computes with them: what an optimizer needs of a model.</summary>
internal sealed class BareModel(params TensorSpec[] tensors) : LanguageModel(new BarePlan(tensors), ScalarType.Float64, CPU, 1)
{
    public override IReadOnlyList<string> Terms => throw new NotSupportedException();

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength) => throw new NotSupportedException();

    public override LossResult Loss(LossInput input) => throw new NotSupportedException();

    public override Tensor Logits(Tensor ids_BT) => throw new NotSupportedException();

    public override IDecodeSession StartDecode() => throw new NotSupportedException();

    private sealed class BarePlan : ModelPlan
    {
        private readonly TensorSpec[] _tensors;

        [SetsRequiredMembers]
        internal BarePlan(TensorSpec[] tensors)
        {
            _tensors = tensors;
            Head = new PlanHead("bare", "nano", "Bare", []);
        }

        public override int VocabSize => throw new NotSupportedException();
        public override int MaxSeqLen => throw new NotSupportedException();
        public override double LogitsPerToken => throw new NotSupportedException();

        public override double MultiplyAdds(int seqLen) => throw new NotSupportedException();

        public override CardCosts CardCosts => throw new NotSupportedException();

        public override ActivationCosts Activations => throw new NotSupportedException();

        public override LanguageModel Build(ScalarType dtype, Device device, long? seed, ScalarType? compute = null) => throw new NotSupportedException();

        protected override void Declare(Weights weights)
        {
            foreach (var tensor in _tensors)
            {
                weights.Take(tensor);
            }
        }
    }
}
