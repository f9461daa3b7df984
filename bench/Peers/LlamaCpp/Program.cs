using System.Numerics.Tensors;
using LLama.Native;
using Nano.Peers;

// llama.cpp as a contender: decode FILE THREADS TYPE VOCABULARY | prefill FILE THREADS TYPE VOCABULARY, where F32 or
// F16 is the type of keys and values.
return WorkProcess.Serve(args, LlamaCpp.Create);

namespace Nano.Peers
{
    /// <summary>Text by llama.cpp, the likeliest token each time.</summary>
    internal static class LlamaCpp
    {
        private const int Context = 1024;

        public static Work Create(string[] task)
        {
            NativeLibraryConfig.All.WithLogCallback((LLamaLogLevel _, string _) => { });
            if (!NativeLibraryConfig.All.DryRun(out var chosen, out _))
                throw new InvalidOperationException("none of the package's libraries can be loaded on this system");
            var form = chosen?.Metadata?.AvxLevel;
            var model = SafeLlamaModelHandle.LoadFromFile(task[1], LLamaModelParams.Default());
            var options = LLamaContextParams.Default();
            (options.n_threads, options.n_threads_batch) = (int.Parse(task[2]), int.Parse(task[2]));
            (options.n_ctx, options.n_batch) = (Context, TextTask.LongPrompt);
            options.type_k = options.type_v = task[3] == "F32" ? GGMLType.GGML_TYPE_F32 : GGMLType.GGML_TYPE_F16;
            var context = SafeLLamaContextHandle.Create(model, options);
            bool decoding = task[0] == "decode";
            int[] prompt = TextTask.Prompt(decoding ? TextTask.DecodePrompt : TextTask.LongPrompt,
                int.Parse(task[4]));
            int next = 0;
            return new Work($"llama.cpp of LLamaSharp {typeof(NativeApi).Assembly.GetName().Version}, its "
                + $"{form} build, keys and values {task[3]}",
                () =>
                {
                    Start();
                    return [.. (decoding ? [] : new[] { Read(prompt, 0) }).Concat(Continue()).Select(id => (double)id)];
                },
                () => _ = decoding ? Continue().Count : Read(prompt, 0), Start);

            void Start()
            {
                context.MemoryClear(true);
                if (decoding)
                    next = Read(prompt, 0);
            }

            List<int> Continue()
            {
                var ids = new List<int>();
                for (int i = 0; decoding && i < TextTask.Decoded; i++)
                    ids.Add(next = Read([next], prompt.Length + i));
                return ids;
            }

            int Read(ReadOnlySpan<int> ids, int position)
            {
                var batch = new LLamaBatch();
                for (int i = 0; i < ids.Length; i++)
                    batch.Add(ids[i], position + i, LLamaSeqId.Zero, i == ids.Length - 1);
                var result = context.Decode(batch);
                return result == DecodeResult.Ok
                    ? TensorPrimitives.IndexOfMax<float>(context.GetLogitsIth(ids.Length - 1))
                    : throw new InvalidOperationException($"llama_decode says {result}");
            }
        }
    }
}
