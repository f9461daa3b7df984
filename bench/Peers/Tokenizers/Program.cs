using Microsoft.ML.Tokenizers;
using Nano.Peers;

// Microsoft.ML.Tokenizers as a contender: tokenize ENCODING FILE.
return WorkProcess.Serve(args, task =>
{
    string text = File.ReadAllText(task[2]);
    // One vocabulary has two names.
    var tokenizer = TiktokenTokenizer.CreateForEncoding(task[1] == "gpt2" ? "r50k_base" : task[1]);
    return new Work($"Microsoft.ML.Tokenizers {typeof(Tokenizer).Assembly.GetName().Version}", () =>
        TextTask.Digest(tokenizer.EncodeToIds(text)), () => tokenizer.EncodeToIds(text));
});
