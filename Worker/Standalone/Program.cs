using System.Reflection;

// Agent and trainer as one program, for machines without the .NET SDK: both run over one copy of the runtime.
const string Usage = """
    hearth-worker selftest [--device cuda:0]                      proves on this machine what training relies on
    hearth-worker join --coordinator URL --join CODE [--name N]   joins a pool and works for it until Ctrl-C
    hearth-worker probe                                           prints this machine's devices
    hearth-worker trainer COMMAND ...                             the trainer's own commands: train, bench, generate ...; trainer help lists them

    It computes with the libtorch that HEARTH_LIBTORCH names, its own, or that of python3's torch (2.10 or newer).
    """;

return args switch
{
    ["selftest", ..] => Start("hearth-trainer", args),
    ["trainer", .. var rest] => Start("hearth-trainer", rest),
    ["join", .. var rest] => Start("hearth-agent", rest),
    ["probe", ..] => Start("hearth-agent", args),
    [] or ["help" or "--help" or "-h"] => Help(),
    _ => Refuse(args[0]),
};

static int Start(string program, string[] words) => (int)Assembly.Load(program).EntryPoint!.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [words], null)!;

static int Help()
{
    Console.WriteLine(Usage);
    return 0;
}

static int Refuse(string word)
{
    Console.Error.WriteLine($"hearth-worker: no command is called {word}.\n\n{Usage}");
    return 2;
}
