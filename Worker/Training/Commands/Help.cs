using Hearth.Runs;

namespace Hearth.Training.Commands;

internal static class Help
{
    private static readonly string Text = $$"""
        hearth-trainer: trains one model on one device, from one file.

          run --job FILE                 obey a job file: events as JSON lines out, commands as JSON lines in
          train --spec FILE [--data PATH] [--out DIR] [--device cpu|cuda:N] [--threads N] [--resume]
                                         train from a shell, no coordinator needed
          prepare --spec FILE [--data PATH] [--out DIR]
                                         tokenise a dataset once
          generate --checkpoint DIR --prompt TEXT [--max-tokens N] [--temperature X] [--top-k N] [--top-p X] [--seed N] [--device D] [--threads N]
                   [--chat vuaf|chatml [--system TEXT] [--category NAME] [--think]]
                   [--halt-threshold X] [--exit-rule threshold|cumulative] [--lazy-prefill] [--speculative] [--keep-ring-memory] [--freeze-ring-memory] [FURTHER PROMPTS]
                                         chat: prompts are a user's turns; think: chatml's answer begins with reasoning
                                         speculative: greedy text by drafts, with --temperature 0; the two others: whether a
                                         family's memory outlives a prompt, and whether it is written at all
                                         halt-threshold: a looped model leaves its loop there (0.5; 1 = full depth); each token's
                                         loop step is printed on standard error; exit-rule: the halting probability of a step is held
                                         against it, or the mass of all steps so far; lazy-prefill: a prompt stops there too
          serve --checkpoint DIR [--device D] [--threads N]
                                         keep a model loaded and answer requests: JSON lines in, JSON lines out
          chat CHECKPOINT [--system TEXT] [--category NAME] [--think] [--max-tokens N] [--temperature X] [--top-k N] [--top-p X] [--seed N]
                   [--halt-threshold X] [--exit-rule threshold|cumulative] [--lazy-prefill]
                                         one turn a line of standard input, each answer as it comes; the template is the tokenizer's
          export CHECKPOINT OUTDIR [--weights average|raw]
                                         a checkpoint's model to give away: safetensors, config, tokenizer; generate and logits read it too
                                         weights: the average, where the run kept one, or the weights themselves
          import DIR OUTDIR [--spec FILE]
                                         such a folder, or a published VUAF one, as a checkpoint that the spec's run goes on from
          evaluate CHECKPOINT --data PATH | --choices FILE [--seq-len N] [--rows N] [--json] [--device D] [--threads N]
                                         data: loss, perplexity and bits per byte on texts or conversations, with the standard error
                                         choices: how often the right one of several answers is the likeliest; JSON lines of prompt, choices, answer
          logits CHECKPOINT --ids 1,2,3 [--out FILE.safetensors] [--top N] [--dtype fp32|fp64] [--device D] [--threads N]
                                         the model's logits at each position; a looped model's of each step, and its halt logits
          models [FAMILY [SIZE]] [--set FIELD=VALUE]... [--rows N] [--seq-len N] [--json]
                                         families, sizes, parameters, FLOP per token, memory per precision and optimizer
          models describe FAMILY SIZE [--set FIELD=VALUE]... [--json]
                                         every tensor with shape and count
          recipe FAMILY SIZE [--dataset NAME] [--set FIELD=VALUE]... [--json]
                                         the run that the family recommends, as YAML with every field and its help
          selftest [--device D] [--cases DIR]
                                         kernels against plain operators, families against the CPU, the same bits twice, and
                                         every parity case of a folder in fp64 and fp32
          selftest exact [--device cuda:N] [--family F]... [--size S]... [--precision bf16|fp32]... [--scratch DIR]
                                         every family at its main sizes and row lengths on a card: the same bits twice, and killed and
                                         resumed, recorded and launched; scratch takes one checkpoint at a time
          parity CASE [--dtype fp64|fp32] [--device D] [--out FILE]
                                         compare a family with a case's numbers
          artifact pack --checkpoint DIR --out FILE.hyb6 [--kappa X] [--code-bytes N] [--text FILE] [--stride N] [--weights average|raw]
          artifact unpack FILE.hyb6 --out FILE.safetensors
          artifact bpb --checkpoint DIR --text FILE [--stride N] [--weights average|raw]
                                         the 16 MB file of a Hybrid checkpoint, and bits per byte
          bench step [--family F] [--size S] [--optimizer {{string.Join('|', OptimizerKinds.Names)}}] [--master fp32|none] [--precision fp32|bf16]
                     [--recompute none|block] [--inexact] [--rows N] [--seq-len N] [--steps N] [--device D] [--threads N] [--peak-tflops X]

        run reads {"command":"stop"}, {"command":"checkpoint"} and {"command":"sample","prompt":"…"} on standard input.
        The end of standard input, SIGTERM and SIGINT mean stop; a second signal ends it at once.

        Exit codes: 0 done · 10 stopped with its checkpoint on disk · 2 bad input · 20 out of memory · 1 anything else.
        """;

    public static int Print()
    {
        Console.WriteLine(Text);
        return ExitCodes.Done;
    }
}
