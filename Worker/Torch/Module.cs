namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>Named parameters and named children, nothing more: no hooks, no buffers, no reflection.</summary>
        public abstract class Module(string name)
        {
            private readonly List<(string Name, Tensor Value)> _parameters = [];
            private readonly List<(string Name, Module Value)> _children = [];

            public string GetName() => name;

            /// <summary>All parameters in order of registration, own before children's, names joined by dots.</summary>
            public IEnumerable<(string name, Tensor parameter)> named_parameters()
            {
                foreach (var (own, value) in _parameters)
                {
                    yield return (own, value);
                }

                foreach (var (child, module) in _children)
                {
                    foreach (var (inner, value) in module.named_parameters())
                    {
                        yield return (child.Length == 0 ? inner : $"{child}.{inner}", value);
                    }
                }
            }

            public IEnumerable<Tensor> parameters() => named_parameters().Select(p => p.parameter);

            public void zero_grad()
            {
                foreach (var parameter in parameters())
                {
                    parameter.grad = null;
                }
            }

            protected Tensor register_parameter(string parameter, Tensor value)
            {
                _parameters.Add((parameter, value));
                return value;
            }

            /// <summary>An empty <paramref name="child"/> lends the module's names without a prefix.</summary>
            protected T register_module<T>(string child, T module)
                where T : Module
            {
                _children.Add((child, module));
                return module;
            }
        }
    }
}
